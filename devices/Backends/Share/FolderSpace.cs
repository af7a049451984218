// SPDX-License-Identifier: GPL-2.0-or-later
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace Lguest.Devices.Backends.Share;

/// <summary>How much room a file system has (statvfs(3)).</summary>
/// <param name="BlockSize">Bytes of a block.</param>
/// <param name="Blocks">Blocks of the file system.</param>
/// <param name="FreeBlocks">Those that are free.</param>
/// <param name="AvailableBlocks">Those that are free for others than root.</param>
/// <param name="Files">Files that it can have.</param>
/// <param name="FreeFiles">Files that can be made.</param>
public readonly record struct FolderSpace(ulong BlockSize, ulong Blocks, ulong FreeBlocks, ulong AvailableBlocks, ulong Files, ulong FreeFiles)
{
    /// <summary>The room where a file is.</summary>
    /// <returns>0, or why it cannot be asked.</returns>
    public static unsafe HostErrno Of(FileNode node, out FolderSpace space)
    {
        space = default;
        statvfs found;
        if (fstatvfs(node.Descriptor, &found) != 0)
            return (HostErrno)errno;

        // In units of f_frsize, whatever f_bsize is.
        space = new FolderSpace(
            (ulong)found.f_frsize,
            (ulong)found.f_blocks,
            (ulong)found.f_bfree,
            (ulong)found.f_bavail,
            (ulong)found.f_files,
            (ulong)found.f_ffree);
        return 0;
    }
}
