// SPDX-License-Identifier: GPL-2.0-or-later
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace Lguest.Devices.Native;

/// <summary>
/// What changes the names in a folder, each call given one name and the folder's descriptor: there is no way that could lead elsewhere.
/// Each answers 0, or a negated error number.
/// </summary>
/// <remarks>Names have a zero after them.</remarks>
internal static unsafe class FolderEntries
{
    private const int ListCall = 217;

    /// <summary>Makes a folder, for the owner alone.</summary>
    public static int MakeFolder(int folder, byte* name)
    {
        const int ownersOnly = 0x1C0;
        return Of(mkdirat(folder, name, (mode_t)ownersOnly));
    }

    /// <summary>Makes a file or a pipe without opening it.</summary>
    public static int MakeNode(int folder, byte* name, uint mode) => Of(mknodat(folder, name, (mode_t)mode, 0));

    /// <summary>Makes a symbolic link.</summary>
    public static int MakeLink(int folder, byte* name, byte* target) => Of(symlinkat(target, folder, name));

    /// <summary>Makes a second name of a file, of the link itself if it is one.</summary>
    public static int AddName(int folder, byte* name, int newFolder, byte* newName) => Of(linkat(folder, name, newFolder, newName, 0));

    /// <summary>Moves what has a name.</summary>
    public static int Move(int folder, byte* name, int newFolder, byte* newName) => Of(Renaming.renameat(folder, name, newFolder, newName));

    /// <summary>Removes a name.</summary>
    public static int Remove(int folder, byte* name, bool isFolder) => Of(unlinkat(folder, name, isFolder ? AT_REMOVEDIR : 0));

    /// <summary>Lists a folder that was opened for that, from where its position is: struct linux_dirent64, one after the other (getdents64(2), which Tmds.LibC has not).</summary>
    /// <returns>Bytes; 0 at the end; or a negated error number.</returns>
    public static int List(int fd, Span<byte> target)
    {
        fixed (byte* start = target)
        {
            long bytes = (ssize_t)syscall(ListCall, fd, start, target.Length);
            return bytes < 0 ? -errno : (int)bytes;
        }
    }

    private static int Of(int result) => result < 0 ? -errno : 0;
}
