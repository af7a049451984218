// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Memory.PageTables;
using Lguest.GuestAbi;

namespace Lguest.Engine.Debugging;

/// <summary>Pages that follow one another with the same rights.</summary>
/// <param name="Start">First linear address.</param>
/// <param name="Length">Bytes.</param>
/// <param name="Physical">Guest physical address of the first; the others follow it only if <paramref name="IsLinear"/>.</param>
/// <param name="Rights">Writable, User.</param>
/// <param name="IsLinear">Whether they follow one another in physical memory too.</param>
public readonly record struct MappedRun(uint Start, ulong Length, uint Physical, PageFlags Rights, bool IsLinear);

/// <summary>The guest's page tables and what they map, for a debugger: reads anything that is mapped, whatever the ring.</summary>
public static class PageTableView
{
    /// <summary>Looks an address up.</summary>
    /// <param name="memory">The guest's memory.</param>
    /// <param name="directory">Guest physical address of the page directory.</param>
    /// <param name="linear">The address.</param>
    public static PageLookup Look(GuestMemory memory, uint directory, uint linear) =>
        TwoLevel.Look(memory, directory, linear);

    /// <summary>Reads virtual memory.</summary>
    /// <returns>Bytes read: fewer than asked for when a page is not mapped, or not to the guest's memory.</returns>
    public static int Read(GuestMemory memory, uint directory, uint linear, Span<byte> to)
    {
        int done = 0;
        while (done < to.Length)
        {
            uint at = linear + (uint)done;
            int step = (int)Math.Min(to.Length - done, Page.Size - (at & Page.OffsetMask));
            if (Look(memory, directory, at).Physical is not { } physical || !memory.Contains(physical, (uint)step))
                break;
            memory.Read(physical, (uint)step).CopyTo(to[done..]);
            done += step;
        }

        return done;
    }

    /// <summary>Writes virtual memory, read-only pages too; code decoded from it is dropped. All or nothing.</summary>
    /// <returns>Whether all of it is mapped.</returns>
    public static bool Write(GuestMemory memory, uint directory, uint linear, ReadOnlySpan<byte> from)
    {
        // Read once: where the first look finds the bytes is where they go, even if others write to the tables meanwhile.
        List<(uint Physical, int Done, int Step)> places = [];
        for (int done = 0; done < from.Length;)
        {
            uint at = linear + (uint)done;
            int step = (int)Math.Min(from.Length - done, Page.Size - (at & Page.OffsetMask));
            if (Look(memory, directory, at).Physical is not { } physical || !memory.Contains(physical, (uint)step))
                return false;
            places.Add((physical, done, step));
            done += step;
        }

        foreach ((uint physical, int done, int step) in places)
            from.Slice(done, step).CopyTo(memory.Write(physical, (uint)step));
        return true;
    }

    /// <summary>A 32-bit word of virtual memory, or null.</summary>
    public static uint? ReadWord(GuestMemory memory, uint directory, uint linear)
    {
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        return Read(memory, directory, linear, bytes) == sizeof(uint) ? System.Buffers.Binary.BinaryPrimitives.ReadUInt32LittleEndian(bytes) : null;
    }

    /// <summary>All that is mapped, in runs.</summary>
    public static IEnumerable<MappedRun> Runs(GuestMemory memory, uint directory)
    {
        MappedRun? run = null;
        for (ulong linear = 0; linear < 1UL << 32;)
        {
            PageLookup found = Look(memory, directory, (uint)linear);

            // No table: nothing in all of its span.
            ulong step = found.HasTable ? Page.Size : FirstTables.TableSpan;
            if (found.IsMapped)
            {
                uint frame = found.Physical!.Value;
                if (run is { } open && open.Start + open.Length == linear && open.Rights == found.Rights)
                {
                    bool follows = open.Physical + open.Length == frame;
                    if (open.IsLinear == follows || (open.Length == Page.Size && !follows))
                    {
                        run = open with { Length = open.Length + Page.Size, IsLinear = follows };
                        linear += step;
                        continue;
                    }
                }

                if (run is { } done)
                    yield return done;
                run = new MappedRun((uint)linear, Page.Size, frame, found.Rights, IsLinear: true);
            }

            linear += step;
        }

        if (run is { } last)
            yield return last;
    }
}
