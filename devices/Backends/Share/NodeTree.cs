// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Native;
using static Tmds.Linux.LibC;

namespace Lguest.Devices.Backends.Share;

/// <summary>
/// What a guest knows of a share, as a tree that follows its renames. A file is opened by its name in the folder where it was found, and
/// only if that name still leads to the same file. So what others do to the names meanwhile costs an error at worst.
/// </summary>
public sealed unsafe class NodeTree : IDisposable
{
    private readonly SharedFolder _share;
    private readonly HashSet<FileNode> _nodes = [];
    private readonly HashSet<OpenFile> _openings = [];

    /// <summary>The tree of a share of which nothing but the root is known.</summary>
    public NodeTree(SharedFolder share)
    {
        _share = share;
        if (!FileStatus.TryGet(share.Descriptor, out FileStatus status))
            throw new DeviceException($"cannot share '{share.Path}': {HostMessage.Of((HostErrno)errno)}");
        Root = new FileNode(share.Descriptor, status) { Holders = 1 };
    }

    /// <summary>The shared folder itself.</summary>
    public FileNode Root { get; }

    /// <summary>Descriptors in use.</summary>
    public int Descriptors => _nodes.Count + _openings.Count;

    /// <summary>Looks up a name.</summary>
    /// <param name="folder">Where.</param>
    /// <param name="name">The name.</param>
    /// <param name="node">What has that name, held once more.</param>
    /// <returns>0, or why there is nothing.</returns>
    public HostErrno Find(FileNode folder, FileName name, out FileNode? node)
    {
        node = null;
        if (!folder.IsFolder)
            return HostErrno.ENOTDIR;
        HostErrno error = Open(folder.Descriptor, name.Terminated, BeneathUse.Look, out int descriptor);
        if (error != 0)
            return error;
        if (!FileStatus.TryGet(descriptor, out FileStatus status))
        {
            error = (HostErrno)errno;
            _ = close(descriptor);
            return error;
        }

        if (folder.Children?.GetValueOrDefault(name) is { } known)
        {
            // It cannot be another file with the same number: that number is taken as long as we hold it.
            if (known.Identity == status.Identity)
            {
                _ = close(descriptor);
                node = Hold(known);
                return 0;
            }

            Detach(known);
        }

        node = new FileNode(descriptor, status) { Holders = 1 };
        _nodes.Add(node);
        _share.Budget.Taken++;
        Attach(node, folder, name);
        return 0;
    }

    /// <summary>The folder in which something was found, if it is still there; the root's is the root.</summary>
    /// <param name="node">What.</param>
    /// <param name="parent">Its folder, held once more.</param>
    /// <returns>0, or why not.</returns>
    public HostErrno FindParent(FileNode node, out FileNode? parent)
    {
        parent = null;
        HostErrno error = node == Root ? 0 : WhyNotThere(node);
        if (error == 0)
            parent = Hold(node.Parent ?? Root);
        return error;
    }

    /// <summary>Somebody else holds a node, too.</summary>
    public FileNode Hold(FileNode node)
    {
        node.Holders++;
        return node;
    }

    /// <summary>Somebody does not hold a node any more. The last one closes it.</summary>
    public void Release(FileNode node)
    {
        // Not by recursion: a guest can make folders in folders as deep as it likes.
        for (FileNode? next = node; next != null && --next.Holders == 0;)
        {
            FileNode? parent = next.Parent;
            if (parent != null && next.Name != null)
                parent.Children?.Remove(next.Name);
            next.Parent = null;
            _ = close(next.Descriptor);
            _nodes.Remove(next);
            _share.Budget.Taken--;
            next = parent;
        }
    }

    /// <summary>Opens a file to read or write it, or a folder to list it.</summary>
    /// <param name="node">Which.</param>
    /// <param name="use">For what; a folder: to list it, whatever this says.</param>
    /// <param name="file">The opening; it holds the node.</param>
    /// <returns>0, or why not.</returns>
    public HostErrno Open(FileNode node, ShareAccess use, out OpenFile? file)
    {
        file = null;
        HostErrno error = OpenByName(node, use, out int descriptor);
        if (error != 0)
            return error;
        if (!FileStatus.TryGet(descriptor, out FileStatus status) || status.Identity != node.Identity)
        {
            _ = close(descriptor);
            return HostErrno.ESTALE;
        }

        file = Opened(node, descriptor, use != ShareAccess.Read);
        return 0;
    }

    /// <summary>Makes a file and opens it.</summary>
    /// <param name="folder">Where.</param>
    /// <param name="name">Its name.</param>
    /// <param name="use">What it is opened for.</param>
    /// <param name="mode">Who may do what with it.</param>
    /// <param name="file">The opening, which holds the node.</param>
    /// <returns>0, or why not.</returns>
    public HostErrno Create(FileNode folder, FileName name, ShareAccess use, uint mode, out OpenFile? file)
    {
        file = null;

        // Two will be open; a file that is made and cannot be had would be worse than none.
        if (!_share.Budget.HasRoom(2))
            return HostErrno.ENFILE;
        HostErrno error = Open(folder.Descriptor, name.Terminated, UseOf(use) + (BeneathUse.NewRead - BeneathUse.Read), out int descriptor);
        if (error != 0)
            return error;

        // As the guest wants it, and not as the launcher's umask does. A file system without modes refuses; the file is made all the same.
        _ = PathAttributes.SetModeOfOpen(descriptor, mode);
        error = Find(folder, name, out FileNode? node);
        if (error == 0 && (!FileStatus.TryGet(descriptor, out FileStatus status) || status.Identity != node!.Identity))
            error = HostErrno.ESTALE;
        if (error == 0)
            file = Opened(node!, descriptor, use != ShareAccess.Read);
        else
            _ = close(descriptor);
        if (node != null)
            Release(node);
        return error;
    }

    /// <summary>Closes an opening.</summary>
    public void Close(OpenFile file)
    {
        if (!_openings.Remove(file))
            return;
        _ = close(file.Descriptor);
        _share.Budget.Taken--;
        file.Node.Openings?.Remove(file);
        Release(file.Node);
    }

    /// <summary>Whether something still has the name by which it was found.</summary>
    /// <returns>0, or why it has not.</returns>
    public HostErrno WhyNotThere(FileNode node)
    {
        if (node.Parent is not { } folder || node.Name is not { } name)
            return HostErrno.ENOENT;
        HostErrno error = Open(folder.Descriptor, name.Terminated, BeneathUse.Look, out int descriptor);
        if (error != 0)
            return error;
        bool isThere = FileStatus.TryGet(descriptor, out FileStatus status) && status.Identity == node.Identity;
        _ = close(descriptor);
        return isThere ? 0 : HostErrno.ENOENT;
    }

    /// <summary>The guest has removed a name.</summary>
    public void Removed(FileNode folder, FileName name)
    {
        if (folder.Children?.GetValueOrDefault(name) is { } node)
            Detach(node);
    }

    /// <summary>The guest has moved something: what is known of it is known at its new place.</summary>
    public void Moved(FileNode folder, FileName name, FileNode newFolder, FileName newName)
    {
        if (folder.Children?.GetValueOrDefault(name) is not { } node)
        {
            Removed(newFolder, newName);
            return;
        }

        if (folder == newFolder && name.Equals(newName))
            return;
        Hold(node);
        Removed(newFolder, newName);
        Detach(node);

        // Others may have moved folders about, so that what we know of them is not true. A circle would never be released.
        if (!IsIn(newFolder, node))
            Attach(node, newFolder, newName);
        Release(node);
    }

    /// <summary>Forgets and closes everything but the shared folder itself.</summary>
    public void Clear()
    {
        _share.Budget.Taken -= Descriptors;
        foreach (OpenFile file in _openings)
            _ = close(file.Descriptor);
        _openings.Clear();
        foreach (FileNode node in _nodes)
            _ = close(node.Descriptor);
        _nodes.Clear();
        Root.Children = null;
        Root.Openings = null;
        Root.Holders = 1;
    }

    /// <inheritdoc/>
    public void Dispose() => Clear();

    private static BeneathUse UseOf(ShareAccess access) => BeneathUse.Read + (int)access;

    private HostErrno OpenByName(FileNode node, ShareAccess use, out int descriptor)
    {
        descriptor = -1;
        if (node.IsFolder)
            return use == ShareAccess.Read ? Open(node.Descriptor, "."u8, BeneathUse.List, out descriptor) : HostErrno.EISDIR;

        // What is no ordinary file belongs to the guest's own kernel: a pipe there has its two ends in the guest, and a device is its own.
        if (!node.IsRegular)
            return node.IsLink ? HostErrno.ELOOP : HostErrno.ENXIO;
        return node is { Parent: { } folder, Name: { } name }
            ? Open(folder.Descriptor, name.Terminated, UseOf(use), out descriptor)
            : HostErrno.ENOENT;
    }

    private static bool IsIn(FileNode node, FileNode folder)
    {
        for (FileNode? at = node; at != null; at = at.Parent)
        {
            if (at == folder)
                return true;
        }

        return false;
    }

    private HostErrno Open(int folder, ReadOnlySpan<byte> name, BeneathUse use, out int descriptor)
    {
        descriptor = -1;
        if (!_share.Budget.HasRoom(1))
            return HostErrno.ENFILE;
        fixed (byte* start = name)
            descriptor = BeneathOpen.Open(folder, start, use);
        return descriptor < 0 ? (HostErrno)(-descriptor) : 0;
    }

    private OpenFile Opened(FileNode node, int descriptor, bool canWrite)
    {
        OpenFile file = new(Hold(node), descriptor, canWrite);
        _openings.Add(file);
        _share.Budget.Taken++;
        (node.Openings ??= []).Add(file);
        return file;
    }

    private void Attach(FileNode node, FileNode folder, FileName name)
    {
        node.Parent = Hold(folder);
        node.Name = name;
        (folder.Children ??= [])[name] = node;
    }

    /// <summary>It has no name any more, as far as is known.</summary>
    private void Detach(FileNode node)
    {
        if (node.Parent is not { } parent)
            return;
        parent.Children?.Remove(node.Name!);
        node.Parent = null;
        node.Name = null;
        Release(parent);
    }
}
