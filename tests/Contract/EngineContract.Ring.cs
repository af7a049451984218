// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Tests.Contract;

/// <summary>The ring of calls that wait for the next synchronous one.</summary>
public abstract partial class EngineContract
{
    private static readonly uint s_send = Generation.Linux2623.Calls.NumberOf(HypercallKind.SendDma)!.Value;
    private static readonly uint s_crash = Generation.Linux2623.Calls.NumberOf(HypercallKind.Crash)!.Value;
    private static readonly uint s_bind = Generation.Linux2623.Calls.NumberOf(HypercallKind.BindDma)!.Value;

    private static void Queue(GuestMemory memory, uint slot, uint number, uint edx, uint ebx, uint ecx = 0)
    {
        uint entry = GuestPlan.Data + 84 + (slot * 16);
        memory.WriteUInt32(entry, number);
        memory.WriteUInt32(entry + 4, edx);
        memory.WriteUInt32(entry + 8, ebx);
        memory.WriteUInt32(entry + 12, ecx);
        memory.Write(GuestPlan.Data + 20 + slot, 1)[0] = 0;
    }

    private static byte Status(TinyGuest guest, uint slot) => guest.Memory.Read(GuestPlan.Data + 20 + slot, 1)[0];

    [Fact]
    public void TheRingRunsInOrderBeforeTheCall()
    {
        using TinyGuest guest = Start(
            g =>
            {
                g.Boot();
                g.Report(99);
            },
            prepare: memory =>
            {
                Queue(memory, 0, s_send, 0x10, 1);
                Queue(memory, 1, s_send, 0x14, 2);
                Queue(memory, 2, s_send, 0x18, 3);
            });

        // It stops at each DMA for the launcher, and goes on where it stopped.
        Assert.Equal(1u, guest.Next());
        Assert.Equal(0x10u, guest.Key);
        Assert.Equal((GuestData.RingDone, (byte)0, (byte)0), (Status(guest, 0), Status(guest, 1), Status(guest, 2)));
        Assert.Equal(2u, guest.Next());
        Assert.Equal((GuestData.RingDone, GuestData.RingDone, (byte)0), (Status(guest, 0), Status(guest, 1), Status(guest, 2)));
        Assert.Equal(3u, guest.Next());
        Assert.Equal(99u, guest.Next());
        Assert.Equal(GuestData.RingDone, Status(guest, 2));
    }

    [Fact]
    public void InitItselfDoesNotRunTheRing()
    {
        using TinyGuest guest = Start(
            g =>
            {
                g.Boot();
                g.Asm.movzx(esi, __byte_ptr[GuestPlan.Virtual(GuestPlan.Data) + 20]);
                g.Report(esi);
            },
            prepare: memory => Queue(memory, 0, 0, 0, 0));

        // Before the code after INIT runs the ring may have run, but never during it: what it says there is in force.
        uint seen = guest.Next();
        Assert.True(seen is 0 or 0xFF);
        Assert.Equal(GuestData.RingDone, Status(guest, 0));
    }

    [Fact]
    public void ACallThatIsNotNextWaitsForItsTurn()
    {
        using TinyGuest guest = Start(
            g =>
            {
                g.Boot();
                g.Report(1);
                g.Report(2);
            },
            prepare: memory => Queue(memory, 5, s_send, 0x10, 50));
        Assert.Equal(1u, guest.Next());
        Assert.Equal(0, Status(guest, 5));
        for (uint slot = 0; slot < 5; slot++)
            Queue(guest.Memory, slot, 0, 0, 0);
        Assert.Equal(50u, guest.Next());
        Assert.Equal(2u, guest.Next());
    }

    [Fact]
    public void TheCursorWrapsAt64()
    {
        using TinyGuest guest = Start(
            g =>
            {
                g.Boot();
                g.Report(1);
                g.Report(2);
            },
            prepare: memory =>
            {
                for (uint slot = 0; slot < GuestData.RingSize; slot++)
                    Queue(memory, slot, 0, 0, 0);
            });
        Assert.Equal(1u, guest.Next());
        Assert.All(Enumerable.Range(0, GuestData.RingSize), slot => Assert.Equal(GuestData.RingDone, Status(guest, (uint)slot)));
        Queue(guest.Memory, 0, s_send, 0x10, 77);
        Queue(guest.Memory, 1, s_send, 0x10, 78);
        Assert.Equal(77u, guest.Next());
        Assert.Equal(78u, guest.Next());
        Assert.Equal(2u, guest.Next());
    }

    [Fact]
    public void OneRoundOfTheRingAtATime()
    {
        // A full ring of calls that the guest's own call follows: it must come, however full the ring is.
        using TinyGuest guest = Start(
            g =>
            {
                g.Boot();
                for (int i = 0; i < 3; i++)
                {
                    for (uint slot = 0; slot < GuestData.RingSize; slot++)
                        g.Asm.mov(__byte_ptr[GuestPlan.Virtual(GuestPlan.Data) + 20 + slot], 0);
                    g.Report((uint)i);
                }
            });
        Assert.Equal(0u, guest.Next());
        Assert.Equal(1u, guest.Next());
        Assert.Equal(2u, guest.Next());
    }

    [Fact]
    public void ResultsOfTheRingGoNowhere()
    {
        using TinyGuest guest = Start(
            g =>
            {
                g.Boot();
                g.Asm.mov(esi, __[GuestPlan.Virtual(GuestPlan.Data) + 84]);
                g.Report(esi);
            },
            prepare: memory => Queue(memory, 0, s_bind, 0x40, GuestPlan.DmaArray, (1 << 8) | 3));
        Assert.Equal(s_bind, guest.Next());
        Assert.Equal(GuestPlan.DmaArray, guest.Channel.GetDma(0x40));
        Assert.Equal(s_bind, guest.Memory.ReadUInt32(GuestPlan.Data + 84));
    }

    [Fact]
    public void ABadCallInTheRingKillsAndNothingFollows()
    {
        using TinyGuest guest = Start(
            g =>
            {
                g.Boot();
                g.Report(1);
            },
            prepare: memory =>
            {
                Queue(memory, 0, s_crash, GuestPlan.Text, 0);
                Queue(memory, 1, 99, 0, 0);
                PutText(memory, "first");
            });
        Assert.Equal("CRASH: first", guest.Death());
        Assert.Equal(0, Status(guest, 1));
    }

    [Fact]
    public void AHaltInTheRingLetsTheCallBehindItHappen()
    {
        using TinyGuest guest = Start(
            g =>
            {
                g.Boot();
                g.Report(1);
                g.Report(2);
            },
            prepare: memory => Queue(memory, 0, Generation.Linux2623.Calls.NumberOf(HypercallKind.Halt)!.Value, 0, 0));
        Assert.Equal(1u, guest.Next());
        guest.RunQuietly(20);
        Assert.Equal(0, guest.Channel.RaiseIrq(3));
        Assert.Equal(2u, guest.Next());
    }
}
