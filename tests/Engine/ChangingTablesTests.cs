// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using Lguest.Engine;
using Lguest.Engine.Cpu;
using Lguest.GuestAbi;
using Lguest.Tests.Contract;

namespace Lguest.Tests.EngineParts;

/// <summary>
/// Page tables that others write to while they are walked, as a guest may have them in the page of --sharenet: the entry that was
/// judged is the entry that is used.
/// </summary>
public sealed unsafe class ChangingTablesTests
{
    private const uint Window = 0x4400_0000;
    private const uint Entry = GuestPlan.Directory + ((Window >> 22) * sizeof(uint));
    private const uint UserTable = GuestPlan.SpareTable;
    private const uint KernelsTable = GuestPlan.SecondDirectory;
    private const uint Frame = 0x10_0000;
    private const uint Supervisor = (uint)(PageFlags.Present | PageFlags.Writable);
    private static readonly TimeSpan s_racing = TimeSpan.FromSeconds(2);

    [Theory]
    [InlineData(EngineKind.Interpreter)]
    [InlineData(EngineKind.Translator)]
    public void RightsOfOneEntryAreNotThoseOfAnother(EngineKind kind)
    {
        // The directory's entry is now a table for everybody with one page, now one of the kernel's with that page and the next.
        using BareGuest guest = new(kind, ring: 3, memory =>
        {
            memory.WriteUInt32(UserTable, Frame | GuestPlan.Mapped);
            memory.WriteUInt32(KernelsTable, Frame | GuestPlan.Mapped);
            memory.WriteUInt32(KernelsTable + 4, (Frame + Page.Size) | GuestPlan.Mapped);
        });
        Read(guest, GuestPlan.Scratch, Window);
        Read(guest, GuestPlan.Scratch + 0x20, Window + Page.Size);
        using Flipper others = Flipper.Of((uint*)(guest.Memory.Base + Entry), UserTable | (uint)PageFlags.Linear, KernelsTable | Supervisor);
        Stopwatch clock = Stopwatch.StartNew();
        int reached = 0;
        while (clock.Elapsed < s_racing)
        {
            if (guest.Run(GuestPlan.Virtual(GuestPlan.Scratch)).Kind == ExitKind.SoftwareInterrupt)
                reached++;

            // Whatever the entry is, ring 3 does not reach the second page.
            CpuExit next = guest.Run(GuestPlan.Virtual(GuestPlan.Scratch + 0x20));
            Assert.Equal((ExitKind.Exception, (byte)14), (next.Kind, next.Vector));
            guest.Core.InvalidatePage(Window);
            guest.Core.InvalidatePage(Window + Page.Size);
        }

        Assert.NotEqual(0, reached);
    }

    [Theory]
    [InlineData(EngineKind.Interpreter, 1)]
    [InlineData(EngineKind.Interpreter, 3)]
    [InlineData(EngineKind.Translator, 1)]
    [InlineData(EngineKind.Translator, 3)]
    public void NoEntryLeadsOutOfTheGuest(EngineKind kind, int ring)
    {
        // A table, nothing, and what is not the guest's: reserved by the host, so that looking there ends the test run.
        using BareGuest guest = new(kind, ring, memory =>
        {
            for (uint page = 0; page < 64; page++)
                memory.WriteUInt32(UserTable + (page * 4), (Frame + (page * Page.Size)) | GuestPlan.Mapped);
        });
        Read(guest, GuestPlan.Scratch, Window + (5 * Page.Size));
        using Flipper directory = Flipper.Of((uint*)(guest.Memory.Base + Entry), UserTable | (uint)PageFlags.Linear, 0, 0x4000_0000 | (uint)PageFlags.Linear, 0xFFFF_F000 | (uint)PageFlags.Linear);
        using Flipper table = Flipper.Of((uint*)(guest.Memory.Base + UserTable + 20), (Frame + (5 * Page.Size)) | GuestPlan.Mapped, 0x8000_0000 | GuestPlan.Mapped);
        Stopwatch clock = Stopwatch.StartNew();
        HashSet<ExitKind> ends = [];
        for (int i = 0; clock.Elapsed < s_racing; i++)
        {
            ends.Add(guest.Run(GuestPlan.Virtual(GuestPlan.Scratch)).Kind);
            switch (i % 4)
            {
                case 0:
                    guest.Core.InvalidatePage(Window + (5 * Page.Size));
                    break;
                case 1:
                    guest.Core.InvalidateDirectoryEntry(GuestPlan.Directory, Window >> 22);
                    break;
                case 2:
                    guest.Core.FlushTlb();
                    break;
                default:
                    guest.Core.LoadPageDirectory(GuestPlan.Directory);
                    break;
            }
        }

        Assert.True(ends.Count > 1, string.Join(", ", ends));
    }

    /// <summary>mov (address), %eax; int 0x80.</summary>
    private static void Read(BareGuest guest, uint place, uint address) =>
        guest.Write(place, [0xA1, (byte)address, (byte)(address >> 8), (byte)(address >> 16), (byte)(address >> 24), 0xCD, 0x80]);
}
