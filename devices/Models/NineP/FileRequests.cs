// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Backends.Share;
using Lguest.GuestAbi.NineP;

namespace Lguest.Devices.Models.NineP;

/// <summary>Requests that open, read and write files.</summary>
internal static class FileRequests
{
    /// <summary>Opens.</summary>
    public static HostErrno Open(NinePSession session, ref MessageReader request, ref MessageWriter answer)
    {
        uint number = request.Double();
        NinePOpen flags = (NinePOpen)request.Double();
        if (!request.IsWhole)
            return HostErrno.EINVAL;
        if (session.Fids.Find(number) is not { } fid)
            return HostErrno.EBADF;
        HostErrno error = OpenFid(session, fid, flags);
        return error == 0 ? AnswerOpened(session, fid.Node, ref answer) : error;
    }

    /// <summary>Makes a file and opens it: the folder's fid is the file's from then on.</summary>
    public static HostErrno Create(NinePSession session, ref MessageReader request, ref MessageWriter answer)
    {
        uint number = request.Double();
        ReadOnlySpan<byte> text = request.Text();
        NinePOpen flags = (NinePOpen)request.Double();
        uint mode = request.Double();
        _ = request.Double(); // The group: that of whoever the launcher is, or of the folder
        if (!request.IsWhole)
            return HostErrno.EINVAL;
        HostErrno error = session.Place(number, text, out FileNode folder, out FileName name);
        if (error != 0)
            return error;
        Fid fid = session.Fids.Find(number)!;
        if (fid.Opening != null || AccessOf(flags) is not { } access)
            return HostErrno.EINVAL;
        error = session.Tree.Create(folder, name, access, mode & NodeAttributes.PermissionBits, out OpenFile? opening);
        FileNode? node = opening?.Node;
        if (opening != null)
            session.Tree.Hold(node!);
        else if (error == HostErrno.EEXIST && (flags & NinePOpen.Exclusive) == 0)
            error = session.Tree.Find(folder, name, out node);
        if (error != 0)
            return error;

        // The fid changes hands only when all is done.
        Fid file = new(node!) { Opening = opening };
        error = opening != null ? 0 : OpenFid(session, file, flags);
        if (error == 0)
            error = AnswerOpened(session, node!, ref answer);
        if (error != 0)
        {
            if (file.Opening != null)
                session.Tree.Close(file.Opening);
            session.Tree.Release(node!);
            return error;
        }

        session.Tree.Release(fid.Node);
        fid.Node = node!;
        fid.Opening = file.Opening;
        NoteSync(fid, flags);
        return 0;
    }

    /// <summary>Reads.</summary>
    public static HostErrno Read(NinePSession session, ref MessageReader request, ref MessageWriter answer)
    {
        uint number = request.Double();
        ulong offset = request.Quad();
        uint count = request.Double();
        if (!request.IsWhole || offset > long.MaxValue - uint.MaxValue)
            return HostErrno.EINVAL;
        if (session.Fids.Find(number)?.Opening is not { } opening)
            return HostErrno.EBADF;
        if (opening.Node.IsFolder)
            return HostErrno.EISDIR;
        if (answer.Rest.Length < sizeof(uint))
            return HostErrno.EMSGSIZE;
        Span<byte> room = answer.Rest[sizeof(uint)..];
        int read = opening.Read((long)offset, room[..(int)Math.Min(count, (uint)room.Length)]);
        if (read < 0)
            return (HostErrno)(-read);
        answer.Double((uint)read);
        answer.Advance(read);
        return 0;
    }

    /// <summary>Writes.</summary>
    public static HostErrno Write(NinePSession session, ref MessageReader request, ref MessageWriter answer)
    {
        uint number = request.Double();
        ulong offset = request.Quad();
        uint count = request.Double();
        if (!request.IsWhole || count > (uint)request.Rest.Length || offset > long.MaxValue - uint.MaxValue)
            return HostErrno.EINVAL;
        if (session.Fids.Find(number) is not { Opening: { } opening } fid)
            return HostErrno.EBADF;
        if (!opening.CanWrite)
            return HostErrno.EBADF;
        int written = opening.Write((long)offset, request.Take((int)count));
        if (written < 0)
            return (HostErrno)(-written);
        if (fid.SyncsData || fid.SyncsAll)
        {
            HostErrno error = opening.Sync(dataOnly: !fid.SyncsAll);
            if (error != 0)
                return error;
        }

        answer.Double((uint)written);
        return 0;
    }

    /// <summary>Brings what was written to the medium.</summary>
    public static HostErrno Sync(NinePSession session, ref MessageReader request, ref MessageWriter answer)
    {
        uint number = request.Double();

        // The first clients did not say how much.
        bool dataOnly = request.Rest.Length >= sizeof(uint) && request.Double() != 0;
        if (!request.IsWhole)
            return HostErrno.EINVAL;
        return session.Fids.Find(number)?.Opening is { } opening ? opening.Sync(dataOnly) : HostErrno.EBADF;
    }

    private static HostErrno OpenFid(NinePSession session, Fid fid, NinePOpen flags)
    {
        if (fid.Opening != null || AccessOf(flags) is not { } access)
            return HostErrno.EINVAL;
        bool truncates = (flags & NinePOpen.Truncate) != 0;
        if (session.IsReadOnly && (access != ShareAccess.Read || truncates))
            return HostErrno.EROFS;
        if ((flags & NinePOpen.Folder) != 0 && !fid.Node.IsFolder)
            return HostErrno.ENOTDIR;
        HostErrno error = session.Tree.Open(fid.Node, access, out OpenFile? opening);
        if (error != 0)
            return error;

        // When it is certain that it is the right file, and not by the call that opens it.
        if (truncates)
            error = session.Tree.SetSize(fid.Node, 0);
        if (error != 0)
        {
            session.Tree.Close(opening!);
            return error;
        }

        fid.Opening = opening;
        NoteSync(fid, flags);
        return 0;
    }

    private static void NoteSync(Fid fid, NinePOpen flags)
    {
        fid.SyncsAll = (flags & NinePOpen.Sync) != 0;
        fid.SyncsData = (flags & NinePOpen.DataSync) != 0;
    }

    private static HostErrno AnswerOpened(NinePSession session, FileNode node, ref MessageWriter answer)
    {
        HostErrno error = session.QidOf(node, out Qid qid);
        if (error != 0)
            return error;
        answer.Qid(qid);

        // No wish how much is read or written at once: as much as a message holds.
        answer.Double(0);
        return 0;
    }

    private static ShareAccess? AccessOf(NinePOpen flags) => (flags & NinePOpen.Access, (flags & NinePOpen.Append) != 0) switch
    {
        (NinePOpen.Read, _) => ShareAccess.Read,
        (NinePOpen.Write, false) => ShareAccess.Write,
        (NinePOpen.Write, true) => ShareAccess.Append,
        (NinePOpen.ReadWrite, false) => ShareAccess.ReadWrite,
        (NinePOpen.ReadWrite, true) => ShareAccess.ReadAppend,
        _ => null,
    };
}
