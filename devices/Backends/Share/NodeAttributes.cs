// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Native;
using Tmds.Linux;

namespace Lguest.Devices.Backends.Share;

/// <summary>
/// Changes of a file's attributes. Newer kernels change them through the descriptor that a <see cref="FileNode"/> has; for older ones
/// the file is opened. Each answers 0, or why not.
/// </summary>
public static class NodeAttributes
{
    /// <summary>Who may do what: chmod(1)'s bits, and the sticky one; not those of set-user-ID and set-group-ID.</summary>
    public const uint PermissionBits = (1 << 10) - 1;

    /// <summary>Set-user-ID and set-group-ID.</summary>
    public const uint IdentityBits = 0xC00;

    /// <summary>
    /// Who may do what. A guest's root would make programs that run as the launcher's user for whoever starts them on the host; so the
    /// bits for that can be kept and dropped, not set.
    /// </summary>
    public static HostErrno SetMode(this NodeTree tree, FileNode node, uint mode)
    {
        HostErrno error = node.Look(out FileStatus status);
        if (error != 0)
            return error;
        if ((mode & IdentityBits & ~(uint)status.Mode) != 0)
            return HostErrno.EPERM;
        mode &= PermissionBits | IdentityBits;
        error = (HostErrno)(-PathAttributes.SetMode(node.Descriptor, mode));
        return error is HostErrno.ENOSYS
            ? tree.WithOpen(node, writes: false, file => (HostErrno)(-PathAttributes.SetModeOfOpen(file.Descriptor, mode)))
            : error;
    }

    /// <summary>
    /// Who may do what, for something that was just made by its owner alone. A folder keeps the set-group-ID bit that it has from the
    /// one it is in.
    /// </summary>
    public static HostErrno SetFirstMode(this NodeTree tree, FileNode node, uint mode)
    {
        HostErrno error = node.Look(out FileStatus status);
        return error != 0 ? error : tree.SetMode(node, (mode & PermissionBits) | ((uint)status.Mode & IdentityBits));
    }

    /// <summary>Whose it is. The host decides whether its user may do that; hardly anybody may.</summary>
    /// <param name="node">The file.</param>
    /// <param name="user">The user, or <see cref="uint.MaxValue"/>: as before.</param>
    /// <param name="group">The group, likewise.</param>
    public static HostErrno SetOwner(FileNode node, uint user, uint group) => (HostErrno)(-PathAttributes.SetOwner(node.Descriptor, user, group));

    /// <summary>When it was read and written.</summary>
    public static HostErrno SetTimes(this NodeTree tree, FileNode node, timespec accessed, timespec modified)
    {
        HostErrno error = (HostErrno)(-PathAttributes.SetTimes(node.Descriptor, accessed, modified));
        return error is HostErrno.EINVAL && !node.IsLink
            ? tree.WithOpen(node, writes: false, file => (HostErrno)(-PathAttributes.SetTimesOfOpen(file.Descriptor, accessed, modified)))
            : error;
    }

    /// <summary>How long it is.</summary>
    public static HostErrno SetSize(this NodeTree tree, FileNode node, long size)
    {
        if (node.IsFolder)
            return HostErrno.EISDIR;
        return node.IsRegular ? tree.WithOpen(node, writes: true, file => file.Truncate(size)) : HostErrno.EINVAL;
    }

    /// <summary>Does something with a file that is open; one of the guest's own openings, if there is one: it may be all that is left of the file.</summary>
    private static HostErrno WithOpen(this NodeTree tree, FileNode node, bool writes, Func<OpenFile, HostErrno> action)
    {
        foreach (OpenFile opening in node.Openings ?? [])
        {
            if (opening.CanWrite || !writes)
                return action(opening);
        }

        HostErrno error = tree.Open(node, writes ? ShareAccess.Write : ShareAccess.Read, out OpenFile? file);
        if (error != 0)
            return error;
        error = action(file!);
        tree.Close(file!);
        return error;
    }
}
