// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Backends.Share;
using Lguest.GuestAbi.NineP;

namespace Lguest.Devices.Models.NineP;

/// <summary>Requests that change names. A share that is read-only refuses all of them.</summary>
internal static class FolderRequests
{
    /// <summary>Makes a folder.</summary>
    public static HostErrno MakeFolder(NinePSession session, ref MessageReader request, ref MessageWriter answer)
    {
        uint number = request.Double();
        ReadOnlySpan<byte> text = request.Text();
        uint mode = request.Double();
        _ = request.Double();
        if (!request.IsWhole)
            return HostErrno.EINVAL;
        HostErrno error = session.Place(number, text, out FileNode folder, out FileName name);
        if (error != 0)
            return error;
        error = session.Tree.MakeFolder(folder, name, mode, out FileNode? made);
        return error == 0 ? Answer(session, made!, ref answer) : error;
    }

    /// <summary>Makes a pipe, or an ordinary file.</summary>
    public static HostErrno MakeNode(NinePSession session, ref MessageReader request, ref MessageWriter answer)
    {
        uint number = request.Double();
        ReadOnlySpan<byte> text = request.Text();
        uint mode = request.Double();
        _ = request.Take(3 * sizeof(uint)); // Which device, and the group
        if (!request.IsWhole)
            return HostErrno.EINVAL;
        HostErrno error = session.Place(number, text, out FileNode folder, out FileName name);
        if (error != 0)
            return error;
        error = session.Tree.MakeNode(folder, name, mode, out FileNode? made);
        return error == 0 ? Answer(session, made!, ref answer) : error;
    }

    /// <summary>Makes a symbolic link.</summary>
    public static HostErrno MakeLink(NinePSession session, ref MessageReader request, ref MessageWriter answer)
    {
        uint number = request.Double();
        ReadOnlySpan<byte> text = request.Text();
        ReadOnlySpan<byte> target = request.Text();
        _ = request.Double();
        if (!request.IsWhole)
            return HostErrno.EINVAL;
        HostErrno error = session.Place(number, text, out FileNode folder, out FileName name);
        if (error != 0)
            return error;
        error = session.Tree.MakeLink(folder, name, target, out FileNode? made);
        return error == 0 ? Answer(session, made!, ref answer) : error;
    }

    /// <summary>Makes a second name of a file.</summary>
    public static HostErrno AddName(NinePSession session, ref MessageReader request, ref MessageWriter answer)
    {
        uint number = request.Double();
        uint file = request.Double();
        ReadOnlySpan<byte> text = request.Text();
        if (!request.IsWhole)
            return HostErrno.EINVAL;
        HostErrno error = session.Place(number, text, out FileNode folder, out FileName name);
        if (error != 0)
            return error;
        return session.Fids.Find(file) is { } fid ? session.Tree.AddName(fid.Node, folder, name) : HostErrno.EBADF;
    }

    /// <summary>Moves what has a name in a folder.</summary>
    public static HostErrno Move(NinePSession session, ref MessageReader request, ref MessageWriter answer)
    {
        uint number = request.Double();
        ReadOnlySpan<byte> text = request.Text();
        uint newNumber = request.Double();
        ReadOnlySpan<byte> newText = request.Text();
        if (!request.IsWhole)
            return HostErrno.EINVAL;
        HostErrno error = session.Place(number, text, out FileNode folder, out FileName name);
        if (error != 0)
            return error;
        error = session.Place(newNumber, newText, out FileNode newFolder, out FileName newName);
        return error == 0 ? session.Tree.Move(folder, name, newFolder, newName) : error;
    }

    /// <summary>Moves what a fid stands for.</summary>
    public static HostErrno MoveFid(NinePSession session, ref MessageReader request, ref MessageWriter answer)
    {
        uint file = request.Double();
        uint number = request.Double();
        ReadOnlySpan<byte> text = request.Text();
        if (!request.IsWhole)
            return HostErrno.EINVAL;
        HostErrno error = session.Place(number, text, out FileNode newFolder, out FileName newName);
        if (error != 0)
            return error;
        if (session.Fids.Find(file)?.Node is not { } node)
            return HostErrno.EBADF;
        error = session.Tree.WhyNotThere(node);
        return error == 0 ? session.Tree.Move(node.Parent!, node.Name!, newFolder, newName) : error;
    }

    /// <summary>Removes a name.</summary>
    public static HostErrno Remove(NinePSession session, ref MessageReader request, ref MessageWriter answer)
    {
        uint number = request.Double();
        ReadOnlySpan<byte> text = request.Text();
        uint flags = request.Double();
        if (!request.IsWhole || (flags & ~NinePFormat.RemoveFolder) != 0)
            return HostErrno.EINVAL;
        HostErrno error = session.Place(number, text, out FileNode folder, out FileName name);
        return error == 0 ? session.Tree.Remove(folder, name, flags != 0) : error;
    }

    /// <summary>Removes what a fid stands for, and forgets the fid, even if it cannot be removed.</summary>
    public static HostErrno RemoveFid(NinePSession session, ref MessageReader request, ref MessageWriter answer)
    {
        uint number = request.Double();
        if (!request.IsWhole)
            return HostErrno.EINVAL;
        if (session.Fids.Find(number)?.Node is not { } node)
            return HostErrno.EBADF;
        HostErrno error = session.IsReadOnly ? HostErrno.EROFS : session.Tree.WhyNotThere(node);
        if (error == 0)
            error = session.Tree.Remove(node.Parent!, node.Name!, node.IsFolder);
        session.Fids.Remove(number);
        return error;
    }

    /// <summary>The qid of what was made, which is not held any more then.</summary>
    private static HostErrno Answer(NinePSession session, FileNode made, ref MessageWriter answer)
    {
        HostErrno error = session.QidOf(made, out Qid qid);
        session.Tree.Release(made);
        answer.Qid(qid);
        return error;
    }
}
