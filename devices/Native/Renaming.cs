// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;

namespace Lguest.Devices.Native;

/// <summary>renameat(2), which Tmds.LibC has not, and which the framework has by whole paths only.</summary>
internal static unsafe partial class Renaming
{
    /// <summary>Moves what has a name in one folder to a name in another.</summary>
    /// <returns>0, or −1, and <c>errno</c> says why.</returns>
    public static int Rename(int oldFolder, string oldName, int newFolder, string newName)
    {
        fixed (byte* from = PathBytes.Of(oldName), to = PathBytes.Of(newName))
            return renameat(oldFolder, from, newFolder, to);
    }

    [LibraryImport("libc", SetLastError = true)]
    public static partial int renameat(int oldFolder, byte* oldName, int newFolder, byte* newName);
}
