// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;

namespace Lguest.Devices.Native;

/// <summary>A file's name as system calls take it: UTF-8, with a zero after it.</summary>
public static class PathBytes
{
    /// <summary>The bytes of a name, for a <c>fixed</c> statement.</summary>
    public static byte[] Of(string path)
    {
        byte[] bytes = new byte[Encoding.UTF8.GetByteCount(path) + 1];
        _ = Encoding.UTF8.GetBytes(path, bytes);
        return bytes;
    }
}
