// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Tests.Contract;

/// <summary>A guest as its launcher and other threads have it, without bytes between.</summary>
public abstract partial class EngineContract
{
    [Fact]
    public void OnlyTheOwnerRunsAGuest()
    {
        using TinyGuest guest = StartSpinning();
        OnAnotherThread(() => Assert.Throws<InvalidOperationException>(() => guest.Guest.Run()));
        guest.RunQuietly(5);
    }

    [Fact]
    public void ADeadGuestStaysDeadOfTheSameReason()
    {
        using TinyGuest guest = Start(g => g.CallNumber(2));
        RunExit death = guest.Run();
        Assert.Equal(RunExit.Died("hypercall 2 before LGUEST_INIT"), death);
        Assert.Equal(death, guest.Run());
        Assert.False(guest.Guest.RaiseIrq(1));
        Assert.Null(guest.Guest.TakeBuffer(0x41));
        OnAnotherThread(() => Assert.False(guest.Guest.Break()));
        Assert.Equal(death, guest.Run());
    }

    [Fact]
    public void AGuestThatPulledTheResetLineIsOver()
    {
        using TinyGuest guest = Start(g =>
        {
            g.Asm.mov(al, 0xFE);
            g.Asm.@out(0x64, al);
        });
        Assert.Equal(RunExit.Restart, guest.Run());
        Assert.False(guest.Guest.RaiseIrq(1));
        Assert.Null(guest.Guest.TakeBuffer(0x41));
        Assert.Equal(RunExit.Restart, guest.Run());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void AnIrqFromAnotherThreadInterruptsAGuestThatRunsOrSleeps(bool sleeps)
    {
        using TinyGuest guest = Start(g =>
        {
            Interruptible(g, enabled: true);
            g.Report(1);
            g.Mark("again");
            if (sleeps)
                g.Call(HypercallKind.Halt);
            g.Asm.jmp(g.Here("again"));
            IrqHandlers(g);
        });
        guest.Next();
        using ManualResetEventSlim about = new();
        Thread other = new(() =>
        {
            Thread.Sleep(30);
            about.Set();
            guest.Guest.RaiseIrq(32);
            guest.Guest.RaiseIrq(3);
        });
        other.Start();
        guest.NextTrap(35);
        Assert.True(about.IsSet, "the irq came before anybody raised it");
        Assert.True(other.Join(Support.Deadline.Patience));
    }

    [Fact]
    public void IrqsOfManyThreadsAllArrive()
    {
        using TinyGuest guest = Start(g =>
        {
            Interruptible(g, enabled: true);
            g.Report(1);
            g.Mark("again");
            g.Asm.jmp(g.Here("again"));
            IrqHandlers(g);
        });
        guest.Next();
        const int rounds = 50;
        using Barrier round = new(5);
        Thread[] threads = [.. Enumerable.Range(0, 4).Select(i => new Thread(() =>
        {
            for (int n = 0; n < rounds; n++)
            {
                round.SignalAndWait();
                Assert.True(guest.Guest.RaiseIrq((uint)i + 1));
            }
        }))];
        foreach (Thread thread in threads)
            thread.Start();
        for (int n = 0; n < rounds; n++)
        {
            round.SignalAndWait();
            HashSet<uint> arrived = [];
            while (arrived.Count < threads.Length)
            {
                guest.Next();
                arrived.Add(guest.Key);

                // The handler's gate has turned interrupts off.
                guest.Memory.WriteUInt32(GuestPlan.Data, GuestData.InterruptFlag);
            }
        }

        foreach (Thread thread in threads)
            Assert.True(thread.Join(Support.Deadline.Patience));
    }

    /// <summary>Who raises an irq or breaks a guest that is being disposed of comes back, and touches nothing that is gone.</summary>
    [Fact]
    public void OtherThreadsAndTheEndOfAGuestDoNotMeet()
    {
        for (int i = 0; i < 30; i++)
        {
            TinyGuest guest = StartSpinning();
            using ManualResetEventSlim go = new();
            Thread[] threads = [.. Enumerable.Range(0, 2).Select(kind => new Thread(() =>
            {
                go.Wait();
                while (kind == 0 ? guest.Guest.RaiseIrq(1) : guest.Guest.Break())
                {
                }
            }))];
            foreach (Thread thread in threads)
                thread.Start();
            go.Set();
            if (i % 2 == 0)
                Assert.Equal(RunExit.Break, guest.Run());
            guest.Dispose();
            foreach (Thread thread in threads)
                Assert.True(thread.Join(Support.Deadline.Patience));
            Assert.False(guest.Guest.RaiseIrq(1));
            Assert.False(guest.Guest.Break());
            Assert.Throws<ObjectDisposedException>(() => guest.Guest.Run());
        }
    }

    [Fact]
    public void BuffersAndIrqsCostNoMemoryOfTheHost()
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Call(HypercallKind.BindDma, 0x40, GuestPlan.DmaArray, Bind(1, 5));
            g.Report(1);
            g.Mark("again");
            g.Report(2);
            g.Asm.jmp(g.Here("again"));
        });
        guest.Next();
        for (int i = 0; i < 100; i++)
            Serve(guest);

        // What each costs is there in every round; an engine that is interrupted for the first time at some place has that to learn.
        List<long> rounds = [];
        while (rounds.Count < 5 && !rounds.Contains(0))
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 1000; i++)
                Serve(guest);
            rounds.Add(GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.Contains(0, rounds);

        static void Serve(TinyGuest guest)
        {
            if (guest.Guest.Run().Kind != RunExitKind.Dma || guest.Guest.TakeBuffer(0x40) != GuestPlan.DmaArray || !guest.Guest.RaiseIrq(1))
                Assert.Fail("the guest has no buffer");
            guest.Memory.WriteUInt32(GuestPlan.DmaArray, 0);
        }
    }
}
