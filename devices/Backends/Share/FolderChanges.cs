// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Native;

namespace Lguest.Devices.Backends.Share;

/// <summary>Changes of the names in folders of a share. Each answers 0, or why not.</summary>
public static unsafe class FolderChanges
{
    /// <summary>An ordinary file, in the mode of something that is made.</summary>
    public const uint RegularType = 0x8000;

    /// <summary>A pipe, likewise.</summary>
    public const uint PipeType = 0x1000;

    /// <summary>The bits of a mode that say what it is.</summary>
    public const uint TypeBits = 0xF000;

    /// <summary>Makes a folder.</summary>
    /// <param name="tree">The share.</param>
    /// <param name="folder">Where.</param>
    /// <param name="name">Its name.</param>
    /// <param name="mode">Who may do what.</param>
    /// <param name="made">It, held.</param>
    public static HostErrno MakeFolder(this NodeTree tree, FileNode folder, FileName name, uint mode, out FileNode? made)
    {
        fixed (byte* bytes = name.Terminated)
            return tree.Made(folder, name, FolderEntries.MakeFolder(folder.Descriptor, bytes), mode, out made);
    }

    /// <summary>Makes a pipe, or an ordinary file; devices are refused.</summary>
    public static HostErrno MakeNode(this NodeTree tree, FileNode folder, FileName name, uint mode, out FileNode? made)
    {
        const uint ownersOnly = 0x180;
        made = null;
        if ((mode & TypeBits) is not (RegularType or PipeType))
            return HostErrno.EPERM;
        fixed (byte* bytes = name.Terminated)
            return tree.Made(folder, name, FolderEntries.MakeNode(folder.Descriptor, bytes, (mode & TypeBits) | ownersOnly), mode, out made);
    }

    /// <summary>Makes a symbolic link.</summary>
    /// <param name="tree">The share.</param>
    /// <param name="folder">Where.</param>
    /// <param name="name">Its name.</param>
    /// <param name="target">Where it leads: any bytes but zero.</param>
    /// <param name="made">It, held.</param>
    public static HostErrno MakeLink(this NodeTree tree, FileNode folder, FileName name, ReadOnlySpan<byte> target, out FileNode? made)
    {
        const int longest = 4095;
        made = null;
        if (target.IsEmpty)
            return HostErrno.ENOENT;
        if (target.Contains((byte)0))
            return HostErrno.EINVAL;
        if (target.Length > longest)
            return HostErrno.ENAMETOOLONG;
        byte* terminated = stackalloc byte[longest + 1];
        target.CopyTo(new Span<byte>(terminated, longest));
        terminated[target.Length] = 0;
        fixed (byte* bytes = name.Terminated)
            return tree.Made(folder, name, FolderEntries.MakeLink(folder.Descriptor, bytes, terminated), mode: null, out made);
    }

    /// <summary>Makes a second name of a file.</summary>
    public static HostErrno AddName(this NodeTree tree, FileNode node, FileNode folder, FileName name)
    {
        HostErrno error = tree.WhyNotThere(node);
        if (error != 0)
            return error;
        fixed (byte* from = node.Name!.Terminated, to = name.Terminated)
            return (HostErrno)(-FolderEntries.AddName(node.Parent!.Descriptor, from, folder.Descriptor, to));
    }

    /// <summary>Moves what has a name.</summary>
    public static HostErrno Move(this NodeTree tree, FileNode folder, FileName name, FileNode newFolder, FileName newName)
    {
        int result;
        fixed (byte* from = name.Terminated, to = newName.Terminated)
            result = FolderEntries.Move(folder.Descriptor, from, newFolder.Descriptor, to);
        if (result == 0)
            tree.Moved(folder, name, newFolder, newName);
        return (HostErrno)(-result);
    }

    /// <summary>Removes a name.</summary>
    public static HostErrno Remove(this NodeTree tree, FileNode folder, FileName name, bool isFolder)
    {
        int result;
        fixed (byte* bytes = name.Terminated)
            result = FolderEntries.Remove(folder.Descriptor, bytes, isFolder);
        if (result == 0)
            tree.Removed(folder, name);
        return (HostErrno)(-result);
    }

    /// <summary>Something was made, or not.</summary>
    private static HostErrno Made(this NodeTree tree, FileNode folder, FileName name, int result, uint? mode, out FileNode? made)
    {
        made = null;
        HostErrno error = result < 0 ? (HostErrno)(-result) : tree.Find(folder, name, out made);

        // It is there, whether or not the file system has modes.
        if (error == 0 && mode is { } wanted)
            _ = tree.SetFirstMode(made!, wanted);
        return error;
    }
}
