// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Backends.Share;
using Lguest.GuestAbi.NineP;

namespace Lguest.Devices.Models.NineP;

/// <summary>A file as the protocol names it: the same numbers are the same file, in the same state.</summary>
/// <param name="Kind">A folder, a link or neither.</param>
/// <param name="Version">Another one after each change.</param>
/// <param name="Path">Which file.</param>
internal readonly record struct Qid(byte Kind, uint Version, ulong Path)
{
    /// <summary>The qid of a file.</summary>
    /// <param name="share">The share's root: inode numbers are its file system's, and those of others below it are told apart.</param>
    /// <param name="status">The file's attributes.</param>
    public static Qid Of(FileNode share, in FileStatus status)
    {
        byte kind = status.IsFolder ? NinePFormat.FolderKind : status.IsLink ? NinePFormat.LinkKind : (byte)0;
        uint version = (uint)(long)status.Modified.tv_sec ^ ((uint)(long)status.Modified.tv_nsec << 2) ^ (uint)status.Size;
        return new Qid(kind, version, PathOf(share, status.Identity.Device, status.Identity.Inode));
    }

    /// <summary>The number of an inode.</summary>
    public static ulong PathOf(FileNode share, ulong device, ulong inode)
    {
        const ulong mixer = 0x9E37_79B9_7F4A_7C15;
        return device == share.Identity.Device ? inode : inode ^ ((device * mixer) & 0xFFFF_FFFF_0000_0000);
    }
}
