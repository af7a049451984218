// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;

namespace Lguest.Devices.Native;

/// <summary>renameat(2), which Tmds.LibC has not, and which the framework has by whole paths only.</summary>
internal static partial class Renaming
{
    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int renameat(int oldFolder, string oldName, int newFolder, string newName);
}
