// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi.NineP;

namespace Lguest.Devices.Models.NineP;

/// <summary>
/// Requests for locks. The guest's kernel has asked itself before it asks here, so that its programs keep each other out; nobody else uses
/// this session. Every lock is granted, and no program of the host's hears of it.
/// </summary>
internal static class LockRequests
{
    private const byte Granted = 0;

    /// <summary>Takes or gives back a lock.</summary>
    public static HostErrno Take(NinePSession session, ref MessageReader request, ref MessageWriter answer)
    {
        uint number = request.Double();
        byte kind = request.Byte();
        _ = request.Double();
        _ = request.Quad();
        _ = request.Quad();
        _ = request.Double();
        _ = request.Text();
        if (!request.IsWhole || kind > (byte)NinePLock.None)
            return HostErrno.EINVAL;
        if (session.Fids.Find(number)?.Opening == null)
            return HostErrno.EBADF;
        answer.Byte(Granted);
        return 0;
    }

    /// <summary>Asks who has a lock: nobody.</summary>
    public static HostErrno Ask(NinePSession session, ref MessageReader request, ref MessageWriter answer)
    {
        uint number = request.Double();
        _ = request.Byte();
        ulong start = request.Quad();
        ulong length = request.Quad();
        uint process = request.Double();
        ReadOnlySpan<byte> client = request.Text();
        if (!request.IsWhole)
            return HostErrno.EINVAL;
        if (session.Fids.Find(number)?.Opening == null)
            return HostErrno.EBADF;
        answer.Byte((byte)NinePLock.None);
        answer.Quad(start);
        answer.Quad(length);
        answer.Double(process);
        answer.Text(client);
        return 0;
    }
}
