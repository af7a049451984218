// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;

namespace Lguest.GuestAbi.Debugging;

/// <summary>
/// A guest's memory by linear address, for a debugger and for its hypervisor: anything that is mapped, whatever the ring and the rights.
/// </summary>
public static class LinearMemory
{
    /// <summary>Reads.</summary>
    /// <returns>Bytes read: fewer than asked for when a page is not mapped, or not to the guest's memory.</returns>
    public static int ReadLinear(this IDebugPort guest, uint linear, Span<byte> to)
    {
        int done = 0;
        while (done < to.Length)
        {
            uint at = linear + (uint)done;
            int step = (int)Math.Min(to.Length - done, Page.Size - (at & Page.OffsetMask));
            if (guest.Look(at).Physical is not { } physical || !guest.Memory.Contains(physical, (uint)step))
                break;
            guest.Memory.Read(physical, (uint)step).CopyTo(to[done..]);
            done += step;
        }

        return done;
    }

    /// <summary>A 32-bit word, or null.</summary>
    public static uint? ReadLinearWord(this IDebugPort guest, uint linear)
    {
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        return guest.ReadLinear(linear, bytes) == sizeof(uint) ? BinaryPrimitives.ReadUInt32LittleEndian(bytes) : null;
    }

    /// <summary>Writes, read-only pages too; code decoded from it is dropped. All or nothing.</summary>
    /// <returns>Whether all of it is mapped.</returns>
    public static bool WriteLinear(this IDebugPort guest, uint linear, ReadOnlySpan<byte> from)
    {
        // Read once: where the first look finds the bytes is where they go, even if others write to the tables meanwhile.
        List<(uint Physical, int Done, int Step)> places = [];
        for (int done = 0; done < from.Length;)
        {
            uint at = linear + (uint)done;
            int step = (int)Math.Min(from.Length - done, Page.Size - (at & Page.OffsetMask));
            if (guest.Look(at).Physical is not { } physical || !guest.Memory.Contains(physical, (uint)step))
                return false;
            places.Add((physical, done, step));
            done += step;
        }

        foreach ((uint physical, int done, int step) in places)
            from.Slice(done, step).CopyTo(guest.Memory.Write(physical, (uint)step));
        return true;
    }
}
