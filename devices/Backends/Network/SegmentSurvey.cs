// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using Lguest.Devices.Native;
using Lguest.GuestAbi;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace Lguest.Devices.Backends.Network;

/// <summary>One slot of a segment, as found.</summary>
/// <param name="Slot">Its number.</param>
/// <param name="Address">The address published there; null while there is none.</param>
/// <param name="Promiscuous">Whether its guest wants every packet.</param>
/// <param name="Taken">Whether somebody has it; if not, the address was left behind.</param>
/// <param name="ProcessId">Who; 0 when that cannot be found out.</param>
/// <param name="Capacity">Bytes that its guest's buffers hold, 0: its interface is down; null when nobody answers.</param>
/// <param name="Report">What its launcher tells of itself, or null when nobody answers.</param>
public sealed record SegmentSlot(int Slot, MacAddress? Address, bool Promiscuous, bool Taken, int ProcessId, uint? Capacity, SegmentReport? Report);

/// <summary>Who is on a segment: asked of the locks, of the page and of the launchers themselves. Changes nothing.</summary>
public static unsafe class SegmentSurvey
{
    /// <summary>Milliseconds that a launcher gets for its answer.</summary>
    private const int Patience = 500;

    /// <summary>Looks at every slot that is taken or holds an address.</summary>
    /// <exception cref="DeviceException">The file is not there, or not a network's.</exception>
    public static IReadOnlyList<SegmentSlot> Take(string path)
    {
        using SegmentFile file = SegmentFile.Look(path);
        using SegmentPorts ports = SegmentPorts.Open(file, create: false);
        List<SegmentSlot> slots = [];
        for (int slot = 0; slot < NetPage.Slots; slot++)
        {
            MacAddress address = file.ReadAddress(slot);
            bool taken = file.IsTaken(slot, out int process);
            bool published = !SegmentFile.IsFree(address);
            if (!taken && !published)
                continue;
            uint? capacity = null;
            SegmentReport? report = null;
            if (taken && Ask(ports, slot, ref process, out uint told) is { } answer)
            {
                report = answer;
                capacity = told;
            }

            const ulong promiscuous = (ulong)MacAddress.PromiscuousBit << 40;
            slots.Add(new SegmentSlot(
                slot, published ? new MacAddress(address.Value & ~promiscuous) : null, published && (address.Value & promiscuous) != 0, taken, process, capacity, report));
        }

        return slots;
    }

    private static SegmentReport? Ask(SegmentPorts ports, int slot, ref int process, out uint capacity)
    {
        capacity = 0;
        int fd = ports.Connect(slot);
        if (fd < 0)
            return null;
        try
        {
            // The kernel's word counts for more than a lock's.
            int listener = PacketSocket.PeerProcess(fd);
            if (listener != 0)
                process = listener;
            uint query = SegmentMessage.Query;
            iovec part = new() { iov_base = &query, iov_len = sizeof(uint) };
            if (PacketSocket.Send(fd, &part, 1) < 0)
                return null;

            pollfd answer = new() { fd = fd, events = POLLIN };
            byte[] message = new byte[sizeof(uint) + sizeof(SegmentReport)];
            long deadline = Environment.TickCount64 + Patience;
            while (poll(&answer, 1, (int)Math.Max(0, deadline - Environment.TickCount64)) > 0)
            {
                long length;
                fixed (byte* start = message)
                {
                    part = new iovec { iov_base = start, iov_len = message.Length };
                    length = PacketSocket.Receive(fd, &part, 1);
                }

                if (length < 2 * sizeof(uint))
                    return null;
                uint kind = MemoryMarshal.Read<uint>(message);
                if (kind == SegmentMessage.State)
                    capacity = MemoryMarshal.Read<uint>(message.AsSpan(sizeof(uint)));
                else if (kind == SegmentMessage.Report && length == message.Length)
                    return MemoryMarshal.Read<SegmentReport>(message.AsSpan(sizeof(uint)));
            }

            return null;
        }
        finally
        {
            _ = close(fd);
        }
    }
}
