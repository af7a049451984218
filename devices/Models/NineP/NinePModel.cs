// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Backends.Share;
using Lguest.GuestAbi.NineP;

namespace Lguest.Devices.Models.NineP;

// [D:195] A folder
// A disk is blocks, and what they mean is the guest's affair. A share is the opposite: the guest asks for names, and the host has its own
// opinion of what they mean. Two names and a link were enough to leave many a shared folder. So names are bytes without a slash, they
// are looked up one at a time from a folder that is held open, and the kernel is told never to follow a link or to go up; what a link
// says is a text to be handed to the guest, whose kernel follows it there.
/// <summary>
/// A folder of the host, for a guest that speaks 9P2000.L as Linux's client does. One request, one answer, at once: when a request is
/// answered it has been carried out, and the guest waits as long as the host takes for it.
/// </summary>
public sealed class NinePModel : DeviceModel, IDisposable
{
    /// <summary>Bytes of a message at most: more than Linux's client asks for.</summary>
    public const int LongestMessage = 512 << 10;

    private readonly SharedFolder _share;
    private readonly Complaints _complaints;
    private readonly NinePSession _session;

    /// <summary>A folder that the guest has not mounted.</summary>
    /// <param name="share">The host's side; it outlives the model.</param>
    /// <param name="tag">The name by which the guest mounts it.</param>
    /// <param name="complaints">Who hears of a guest that opens too much.</param>
    public NinePModel(SharedFolder share, string tag, Complaints? complaints = null)
    {
        _share = share;
        Tag = tag;
        _complaints = complaints ?? Complaints.Silent;
        _session = new NinePSession(share);
    }

    /// <summary>The name by which the guest mounts it.</summary>
    public string Tag { get; }

    /// <inheritdoc/>
    public override string Description => $"share {Tag}, {_share.Path}{(_share.IsReadOnly ? ", read-only" : string.Empty)}";

    /// <summary>Descriptors that the guest's files take at the moment.</summary>
    internal int Descriptors => _session.Tree.Descriptors;

    /// <summary>Fids at the moment.</summary>
    internal int Fids => _session.Fids.Count;

    /// <summary>Carries out a request.</summary>
    /// <param name="request">The message, in memory that nobody changes meanwhile.</param>
    /// <param name="room">Where the answer goes.</param>
    /// <returns>Bytes of the answer; 0 when there is not even room for an error.</returns>
    public int Answer(ReadOnlySpan<byte> request, Span<byte> room)
    {
        if (room.Length < NinePFormat.ErrorAnswer)
            return 0;
        MessageReader reader = new(request);
        uint length = reader.Double();
        NinePMessage kind = (NinePMessage)reader.Byte();
        ushort tag = reader.Word();
        MessageWriter writer = new(room[..Math.Min(room.Length, _session.LongestMessage)]);
        HostErrno error = HostErrno.EINVAL;
        if (reader.IsWhole && length is >= NinePFormat.Header && length <= request.Length)
        {
            // Where Linux gives what is to be written in pages of its own, its length counts the head only.
            if (kind != NinePMessage.Write)
                reader = new MessageReader(request[NinePFormat.Header..(int)length]);
            error = request.Length <= _session.LongestMessage ? Execute(kind, ref reader, ref writer) : HostErrno.EMSGSIZE;
        }

        if (error is HostErrno.ENFILE or HostErrno.EMFILE)
            _complaints.Once("share " + Tag, $"share {Tag}: the guest uses {_session.Fids.Count} files of it at a time, and the launcher may have no more open for it than {_share.Budget.Most} (ulimit -n)");
        int answered = writer.Finish(error, kind, tag);
        Observer?.Sent(this, (uint)request.Length);
        Observer?.Delivered(this, (uint)answered);
        return answered;
    }

    /// <summary>Closes what the guest has open.</summary>
    public void Dispose() => _session.Dispose();

    private HostErrno Execute(NinePMessage kind, ref MessageReader request, ref MessageWriter answer)
    {
        NinePSession session = _session;
        return kind switch
        {
            NinePMessage.Version => SessionRequests.Version(session, ref request, ref answer),
            NinePMessage.Attach => SessionRequests.Attach(session, ref request, ref answer),
            NinePMessage.Walk => SessionRequests.Walk(session, ref request, ref answer),
            NinePMessage.Clunk => SessionRequests.Clunk(session, ref request, ref answer),
            NinePMessage.Open => FileRequests.Open(session, ref request, ref answer),
            NinePMessage.Create => FileRequests.Create(session, ref request, ref answer),
            NinePMessage.Read => FileRequests.Read(session, ref request, ref answer),
            NinePMessage.Write => FileRequests.Write(session, ref request, ref answer),
            NinePMessage.Sync => FileRequests.Sync(session, ref request, ref answer),
            NinePMessage.ReadFolder => ListRequest.List(session, ref request, ref answer),
            NinePMessage.GetAttributes => AttributeRequests.Get(session, ref request, ref answer),
            NinePMessage.SetAttributes => AttributeRequests.Set(session, ref request, ref answer),
            NinePMessage.StatFs => AttributeRequests.StatFs(session, ref request, ref answer),
            NinePMessage.ReadLink => AttributeRequests.ReadLink(session, ref request, ref answer),
            NinePMessage.MakeFolder => FolderRequests.MakeFolder(session, ref request, ref answer),
            NinePMessage.MakeNode => FolderRequests.MakeNode(session, ref request, ref answer),
            NinePMessage.Symlink => FolderRequests.MakeLink(session, ref request, ref answer),
            NinePMessage.Link => FolderRequests.AddName(session, ref request, ref answer),
            NinePMessage.RenameAt => FolderRequests.Move(session, ref request, ref answer),
            NinePMessage.Rename => FolderRequests.MoveFid(session, ref request, ref answer),
            NinePMessage.UnlinkAt => FolderRequests.Remove(session, ref request, ref answer),
            NinePMessage.Remove => FolderRequests.RemoveFid(session, ref request, ref answer),
            NinePMessage.Lock => LockRequests.Take(session, ref request, ref answer),
            NinePMessage.GetLock => LockRequests.Ask(session, ref request, ref answer),

            // Whatever it was, it has been answered: there is only one request at a time.
            NinePMessage.Flush => 0,

            // Extended attributes, authentication and what nobody knows.
            _ => HostErrno.EOPNOTSUPP,
        };
    }
}
