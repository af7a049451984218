// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Native;

namespace Lguest.Devices.Backends.Share;

/// <summary>
/// A file, folder or link of a share that the guest knows: held open by a descriptor that opens nothing (O_PATH), so it stays the same
/// whatever happens to its name. All who hold it share it, and the folder in which it was found is held with it.
/// </summary>
public sealed class FileNode
{
    internal FileNode(int descriptor, in FileStatus status)
    {
        Descriptor = descriptor;
        Identity = status.Identity;
        IsFolder = status.IsFolder;
        IsRegular = status.IsRegular;
        IsLink = status.IsLink;
    }

    /// <summary>Which file it is, whatever name led to it.</summary>
    public (ulong Device, ulong Inode) Identity { get; }

    /// <summary>A folder.</summary>
    public bool IsFolder { get; }

    /// <summary>An ordinary file.</summary>
    public bool IsRegular { get; }

    /// <summary>A symbolic link, which leads nowhere as far as shares are concerned: the guest follows it, or does not.</summary>
    public bool IsLink { get; }

    /// <summary>The folder in which it was found; null: the root, or something whose name is gone.</summary>
    public FileNode? Parent { get; internal set; }

    /// <summary>Its name there.</summary>
    public FileName? Name { get; internal set; }

    internal int Descriptor { get; }

    /// <summary>How many hold it, among them what was found in it.</summary>
    internal int Holders { get; set; }

    /// <summary>What was found in it and is held.</summary>
    internal Dictionary<FileName, FileNode>? Children { get; set; }

    /// <summary>Its openings.</summary>
    internal List<OpenFile>? Openings { get; set; }

    /// <summary>Its attributes now.</summary>
    /// <returns>0, or why they cannot be read.</returns>
    public HostErrno Look(out FileStatus status) => FileStatus.TryGet(Descriptor, out status) ? 0 : (HostErrno)Tmds.Linux.LibC.errno;

    /// <summary>Where a link leads.</summary>
    /// <returns>Bytes, or a negated error number.</returns>
    public int ReadLink(Span<byte> target) => IsLink ? PathAttributes.ReadLink(Descriptor, target) : -(int)HostErrno.EINVAL;
}
