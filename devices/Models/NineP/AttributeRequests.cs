// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Backends.Share;
using Lguest.GuestAbi.NineP;
using Tmds.Linux;

namespace Lguest.Devices.Models.NineP;

/// <summary>Requests for attributes, of files and of the file system.</summary>
internal static class AttributeRequests
{
    /// <summary>Reads a file's attributes: all that every file has, whatever was asked for.</summary>
    public static HostErrno Get(NinePSession session, ref MessageReader request, ref MessageWriter answer)
    {
        uint number = request.Double();
        _ = request.Quad();
        if (!request.IsWhole)
            return HostErrno.EINVAL;
        if (session.Fids.Find(number)?.Node is not { } node)
            return HostErrno.EBADF;
        HostErrno error = node.Look(out FileStatus status);
        if (error != 0)
            return error;
        answer.Quad(NinePFormat.BasicAttributes);
        answer.Qid(Qid.Of(session.Tree.Root, status));
        answer.Double((uint)status.Mode);
        answer.Double(status.Owner);
        answer.Double(status.Group);
        answer.Quad(status.Names);
        answer.Quad(status.Special);
        answer.Quad((ulong)status.Size);
        answer.Quad((ulong)status.BlockSize);
        answer.Quad((ulong)status.Blocks);
        Time(ref answer, status.Accessed);
        Time(ref answer, status.Modified);
        Time(ref answer, status.Changed);

        // When it was made, its generation and version: not among those that are said to be valid.
        for (int i = 0; i < 4; i++)
            answer.Quad(0);
        return 0;
    }

    /// <summary>Changes a file's attributes: those that are named.</summary>
    public static HostErrno Set(NinePSession session, ref MessageReader request, ref MessageWriter answer)
    {
        uint number = request.Double();
        NinePChange what = (NinePChange)request.Double();
        uint mode = request.Double();
        uint user = request.Double();
        uint group = request.Double();
        ulong size = request.Quad();
        timespec accessed = Time(ref request, what, NinePChange.AccessTime, NinePChange.AccessTimeGiven);
        timespec modified = Time(ref request, what, NinePChange.ModifyTime, NinePChange.ModifyTimeGiven);
        if (!request.IsWhole)
            return HostErrno.EINVAL;
        if (session.IsReadOnly)
            return HostErrno.EROFS;
        if (session.Fids.Find(number)?.Node is not { } node)
            return HostErrno.EBADF;
        HostErrno error = 0;
        if ((what & NinePChange.Size) != 0)
            error = size <= long.MaxValue ? session.Tree.SetSize(node, (long)size) : HostErrno.EFBIG;
        if (error == 0 && (what & (NinePChange.Owner | NinePChange.Group)) != 0)
        {
            error = NodeAttributes.SetOwner(
                node,
                (what & NinePChange.Owner) != 0 ? user : uint.MaxValue,
                (what & NinePChange.Group) != 0 ? group : uint.MaxValue);
        }

        if (error == 0 && (what & NinePChange.Mode) != 0)
            error = session.Tree.SetMode(node, mode);

        // Last, since a new length is a change, too. The time of a change of attributes is the host's to set.
        if (error == 0 && (what & (NinePChange.AccessTime | NinePChange.ModifyTime)) != 0)
            error = session.Tree.SetTimes(node, accessed, modified);
        return error;
    }

    /// <summary>The file system's numbers.</summary>
    public static HostErrno StatFs(NinePSession session, ref MessageReader request, ref MessageWriter answer)
    {
        uint number = request.Double();
        if (!request.IsWhole)
            return HostErrno.EINVAL;
        if (session.Fids.Find(number)?.Node is not { } node)
            return HostErrno.EBADF;
        HostErrno error = FolderSpace.Of(node, out FolderSpace space);
        if (error != 0)
            return error;
        answer.Double(NinePFormat.FileSystemType);
        answer.Double((uint)space.BlockSize);
        answer.Quad(space.Blocks);
        answer.Quad(space.FreeBlocks);
        answer.Quad(space.AvailableBlocks);
        answer.Quad(space.Files);
        answer.Quad(space.FreeFiles);
        answer.Quad(0);
        answer.Double(FileName.Longest);
        return 0;
    }

    /// <summary>Where a symbolic link leads.</summary>
    public static HostErrno ReadLink(NinePSession session, ref MessageReader request, ref MessageWriter answer)
    {
        const int longest = 4096;
        uint number = request.Double();
        if (!request.IsWhole)
            return HostErrno.EINVAL;
        if (session.Fids.Find(number)?.Node is not { } node)
            return HostErrno.EBADF;
        Span<byte> target = stackalloc byte[longest];
        int length = node.ReadLink(target);
        if (length < 0)
            return (HostErrno)(-length);
        answer.Text(target[..length]);
        return 0;
    }

    private static void Time(ref MessageWriter answer, timespec time)
    {
        answer.Quad((ulong)(long)time.tv_sec);
        answer.Quad((ulong)(long)time.tv_nsec);
    }

    private static timespec Time(ref MessageReader request, NinePChange what, NinePChange changed, NinePChange given)
    {
        long seconds = (long)request.Quad();
        long nanoseconds = (long)request.Quad();
        if ((what & changed) == 0)
            return new timespec { tv_nsec = LibC.UTIME_OMIT };
        if ((what & given) == 0)
            return new timespec { tv_nsec = LibC.UTIME_NOW };

        // Those two have a meaning of their own; other nonsense is refused by the host.
        return new timespec { tv_sec = (time_t)seconds, tv_nsec = nanoseconds is 0x3FFF_FFFE or 0x3FFF_FFFF ? -1 : (long_t)nanoseconds };
    }
}
