// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Backends.Share;
using Lguest.GuestAbi.NineP;

namespace Lguest.Devices.Models.NineP;

/// <summary>Requests that begin a session, and that get and forget fids.</summary>
internal static class SessionRequests
{
    /// <summary>Which dialect is spoken, and how long messages may be.</summary>
    public static HostErrno Version(NinePSession session, ref MessageReader request, ref MessageWriter answer)
    {
        uint longest = request.Double();
        ReadOnlySpan<byte> version = request.Text();
        if (!request.IsWhole)
            return HostErrno.EINVAL;
        if (longest < NinePFormat.LeastMessage)
            return HostErrno.EMSGSIZE;
        int agreed = (int)Math.Min(longest, NinePModel.LongestMessage);
        session.Restart(agreed);
        answer.Double((uint)agreed);
        answer.Text(version.SequenceEqual("9P2000.L"u8) ? version : "unknown"u8);
        return 0;
    }

    /// <summary>A fid for the root. The user's name is nobody's business here: the host sees the launcher's user.</summary>
    public static HostErrno Attach(NinePSession session, ref MessageReader request, ref MessageWriter answer)
    {
        uint fid = request.Double();
        _ = request.Double();
        _ = request.Text();
        ReadOnlySpan<byte> tree = request.Text();
        _ = request.Double();
        if (!request.IsWhole || fid == NinePFormat.NoFid || session.Fids.Contains(fid))
            return HostErrno.EINVAL;

        // There is one tree: a part of it is a share of its own.
        if (!tree.IsEmpty && !tree.SequenceEqual("/"u8))
            return HostErrno.ENOENT;
        if (session.Fids.IsFull)
            return HostErrno.ENFILE;
        HostErrno error = session.QidOf(session.Tree.Root, out Qid qid);
        if (error != 0)
            return error;
        session.Fids.Set(fid, session.Tree.Hold(session.Tree.Root));
        answer.Qid(qid);
        return 0;
    }

    /// <summary>Follows names, as far as they lead; only if all of them do is there a new fid.</summary>
    public static HostErrno Walk(NinePSession session, ref MessageReader request, ref MessageWriter answer)
    {
        uint fid = request.Double();
        uint newFid = request.Double();
        int count = request.Word();
        if (!request.IsWhole || count > NinePFormat.MostNames || newFid == NinePFormat.NoFid)
            return HostErrno.EINVAL;

        // Checked to its end before anything is looked up.
        MessageReader names = request;
        for (int i = 0; i < count; i++)
            _ = names.Text();
        if (!names.IsWhole)
            return HostErrno.EINVAL;
        if (session.Fids.Find(fid) is not { } from)
            return HostErrno.EBADF;
        if (newFid == fid ? from.Opening != null : session.Fids.Contains(newFid))
            return HostErrno.EINVAL;
        if (session.Fids.IsFull)
            return HostErrno.ENFILE;
        FileNode node = session.Tree.Hold(from.Node);
        Span<Qid> qids = stackalloc Qid[NinePFormat.MostNames];
        int walked = 0;
        HostErrno error = 0;
        while (walked < count)
        {
            error = Step(session, node, request.Text(), out FileNode? next, out qids[walked]);
            if (error != 0)
                break;
            session.Tree.Release(node);
            node = next!;
            walked++;
        }

        if (walked == count)
            session.Fids.Set(newFid, node);
        else
            session.Tree.Release(node);
        if (walked == 0 && error != 0)
            return error;
        answer.Word((ushort)walked);
        foreach (ref readonly Qid qid in qids[..walked])
            answer.Qid(qid);
        return 0;
    }

    /// <summary>Forgets a fid.</summary>
    public static HostErrno Clunk(NinePSession session, ref MessageReader request, ref MessageWriter answer)
    {
        uint fid = request.Double();
        return !request.IsWhole ? HostErrno.EINVAL : session.Fids.Remove(fid) ? 0 : HostErrno.EBADF;
    }

    private static HostErrno Step(NinePSession session, FileNode node, ReadOnlySpan<byte> text, out FileNode? next, out Qid qid)
    {
        qid = default;
        next = null;
        HostErrno error;
        if (text.SequenceEqual(".."u8))
        {
            error = session.Tree.FindParent(node, out next);
        }
        else
        {
            error = FileName.Parse(text, out FileName? name);
            if (error == 0)
                error = session.Tree.Find(node, name!, out next);
        }

        if (error != 0)
            return error;
        error = session.QidOf(next!, out qid);
        if (error != 0)
            session.Tree.Release(next!);
        return error;
    }
}
