// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine;
using Lguest.Engine.Channel;
using Lguest.Engine.Hypervisor;
using Lguest.Engine.Memory;
using Lguest.GuestAbi;
using Lguest.Tests.Support;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Tests.Contract;

/// <summary>Reads and writes: who may, when, and what they answer.</summary>
public abstract partial class EngineContract
{
    [Fact]
    public void NothingButInitializeBeforeInitialize()
    {
        using MappedGuestMemory memory = MappedGuestMemory.Create([new MemoryRange(0, GuestPlan.MemoryBytes)]);
        using EngineChannel channel = GuestEngine.Open(kind, memory, Generation.Linux2623, new StillClock());
        Assert.Equal(-Errno.EINVAL, channel.GetDma(0));
        Assert.Equal(-Errno.EINVAL, channel.RaiseIrq(1));
        Assert.Equal(-Errno.EINVAL, channel.ReleaseBreak());
        Assert.Equal(-Errno.EINVAL, channel.Read(new byte[8]));
    }

    [Fact]
    public void InitializeAnswersItsLengthOnce()
    {
        using MappedGuestMemory memory = MappedGuestMemory.Create([new MemoryRange(0, GuestPlan.MemoryBytes)]);
        using EngineChannel channel = GuestEngine.Open(kind, memory, Generation.Linux2623, new StillClock());
        Assert.Equal(16, channel.Initialize(512, GuestPlan.Directory, 0, GuestPlan.PageOffset));
        Assert.Equal(-Errno.EBUSY, channel.Initialize(512, GuestPlan.Directory, 0, GuestPlan.PageOffset));
    }

    [Theory]
    [InlineData(0xFFC0_0000u)]
    [InlineData(0xFFFF_F000u)]
    public void AKernelThatLeavesNoRoomForTheSwitcherIsRefused(uint pageOffset)
    {
        using MappedGuestMemory memory = MappedGuestMemory.Create([new MemoryRange(0, GuestPlan.MemoryBytes)]);
        using EngineChannel channel = GuestEngine.Open(kind, memory, Generation.Linux2623, new StillClock());
        Assert.Equal(-Errno.EINVAL, channel.Initialize(512, GuestPlan.Directory, 0, pageOffset));
        Assert.Equal(-Errno.EINVAL, channel.RaiseIrq(1));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(19)]
    public void AShortInitializeIsAFaultAndNotAGuest(int bytes)
    {
        using MappedGuestMemory memory = MappedGuestMemory.Create([new MemoryRange(0, GuestPlan.MemoryBytes)]);
        using EngineChannel channel = GuestEngine.Open(kind, memory, Generation.Linux2623, new StillClock());
        byte[] words = GuestChannelExtensions.Words(ChannelRequest.Initialize, 512, GuestPlan.Directory, 0, GuestPlan.PageOffset);
        Assert.Equal(-Errno.EFAULT, channel.Write(words.AsMemory(0, bytes)));
        Assert.Equal(16, channel.Write(words));
    }

    [Theory]
    [InlineData(ChannelRequest.GetDma)]
    [InlineData(ChannelRequest.Irq)]
    [InlineData(ChannelRequest.Break)]
    public void AShortWriteIsAFault(ChannelRequest request)
    {
        using TinyGuest guest = StartSpinning();
        byte[] words = GuestChannelExtensions.Words(request, 1);
        Assert.Equal(-Errno.EFAULT, guest.Channel.Write(words.AsMemory(0, 2)));
        Assert.Equal(-Errno.EFAULT, guest.Channel.Write(words.AsMemory(0, 4)));
        Assert.Equal(-Errno.EFAULT, guest.Channel.Write(words.AsMemory(0, 7)));
    }

    [Fact]
    public void UnknownRequestsAreInvalid()
    {
        using TinyGuest guest = StartSpinning();
        Assert.Equal(-Errno.EINVAL, guest.Channel.Write(GuestChannelExtensions.Words((ChannelRequest)4, 0)));
        Assert.Equal(-Errno.EINVAL, guest.Channel.Write(GuestChannelExtensions.Words((ChannelRequest)0xFFFF_FFFF, 0)));
    }

    [Fact]
    public void OnlyTheOwnerMayReadAndWrite()
    {
        using TinyGuest guest = StartSpinning();
        long[] results = new long[4];
        OnAnotherThread(() =>
        {
            results[0] = guest.Channel.Read(new byte[8]);
            results[1] = guest.Channel.RaiseIrq(1);
            results[2] = guest.Channel.GetDma(0);
            results[3] = guest.Channel.Initialize(512, GuestPlan.Directory, 0, GuestPlan.PageOffset);
        });
        Assert.All(results, result => Assert.Equal(-Errno.EPERM, result));
    }

    [Fact]
    public void IrqsAreCounted()
    {
        using TinyGuest guest = StartSpinning();
        Assert.Equal(0, guest.Channel.RaiseIrq(0));
        Assert.Equal(0, guest.Channel.RaiseIrq(31));
        Assert.Equal(-Errno.EINVAL, guest.Channel.RaiseIrq(32));
        Assert.Equal(-Errno.EINVAL, guest.Channel.RaiseIrq(0xFFFF_FFFF));
    }

    [Fact]
    public void AReadOfFewerThanEightBytesDoesNotLoseTheDma()
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Report(77, key: 12);
            g.Spin();
        });
        Assert.Equal(-Errno.EFAULT, guest.Channel.Read(new byte[7]));
        Assert.Equal(77u, guest.Next());
        Assert.Equal(12u, guest.Key);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ABreakHoldsTheGuestUntilItIsReleased(bool halted)
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            if (halted)
                g.Call(HypercallKind.Halt);
            g.Spin();
        });
        using ManualResetEventSlim about = new();
        long answer = long.MinValue;
        Thread breaker = new(() =>
        {
            Thread.Sleep(30);
            about.Set();
            Volatile.Write(ref answer, guest.Channel.Break());
        });
        breaker.Start();
        Assert.Equal(-Errno.EAGAIN, guest.Read());
        Assert.True(about.IsSet, "the guest stopped before anybody asked");

        // While it is asked for, every read says so, and the one who asked waits.
        Assert.Equal(-Errno.EAGAIN, guest.Read());
        Assert.False(breaker.Join(30));
        Assert.Equal(long.MinValue, Volatile.Read(ref answer));
        Assert.Equal(0, guest.Channel.ReleaseBreak());
        Assert.True(breaker.Join(Deadline.Patience));
        Assert.Equal(0, answer);
        guest.RunQuietly(20);
    }

    [Fact]
    public void ABreakBeforeTheReadIsNotLost()
    {
        using TinyGuest guest = StartSpinning();
        Thread breaker = new(() => guest.Channel.Break());
        breaker.Start();
        while ((breaker.ThreadState & System.Threading.ThreadState.WaitSleepJoin) == 0)
            Thread.Yield();
        Assert.Equal(-Errno.EAGAIN, guest.Read());
        guest.Channel.ReleaseBreak();
        Assert.True(breaker.Join(Deadline.Patience));
    }

    [Fact]
    public void BreaksByTheThousandAreAllAnswered()
    {
        using TinyGuest guest = StartSpinning();
        const int rounds = 1000;
        int released = 0;
        Thread breaker = new(() =>
        {
            for (int i = 0; i < rounds; i++)
            {
                if (guest.Channel.Break() == 0)
                    Interlocked.Increment(ref released);
            }
        });
        breaker.Start();
        for (int i = 0; i < rounds; i++)
        {
            Assert.Equal(-Errno.EAGAIN, guest.Read());
            guest.Channel.ReleaseBreak();
        }

        Assert.True(breaker.Join(Deadline.Patience));
        Assert.Equal(rounds, released);
    }

    [Fact]
    public void ABreakIsNoticedSoonInALoopWithoutCalls()
    {
        const int rounds = 100_000_000; // a tenth of a second of this processor's, or a second of the interpreter's
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Mark("again");
            g.Asm.inc(__dword_ptr[GuestPlan.Virtual(GuestPlan.Scratch)]);
            g.Asm.jmp(g.Here("again"));
        });

        // In the guest's own time: on a busy machine whoever asks may have to wait for a processor.
        Tries.Below(rounds, "rounds of the loop after the break", () =>
        {
            uint before = 0;
            Thread breaker = new(() =>
            {
                Thread.Sleep(30);
                before = guest.Memory.ReadUInt32(GuestPlan.Scratch);
                guest.Channel.Break();
            });
            breaker.Start();
            Assert.Equal(-Errno.EAGAIN, guest.Read());
            uint after = guest.Memory.ReadUInt32(GuestPlan.Scratch);
            guest.Channel.ReleaseBreak();
            Assert.True(breaker.Join(Deadline.Patience));
            return after - before;
        });
    }

    [Fact]
    public void AClosedChannelAnswersAndHarmsNobody()
    {
        TinyGuest guest = StartSpinning();
        guest.Channel.Dispose();
        Assert.True(guest.Channel.Read(new byte[8]) < 0);
        Assert.True(guest.Channel.RaiseIrq(1) < 0);
        Assert.True(guest.Channel.GetDma(0) < 0);
        long result = 0;
        OnAnotherThread(() => result = guest.Channel.Break());
        Assert.True(result < 0);
        guest.Dispose();
    }

    [Fact]
    public void ClosingReleasesWhoWaitsForABreak()
    {
        TinyGuest guest = StartSpinning();
        Thread breaker = new(() => guest.Channel.Break());
        breaker.Start();
        Assert.Equal(-Errno.EAGAIN, guest.Read());
        guest.Dispose();
        Assert.True(breaker.Join(Deadline.Patience));
    }

    private static void OnAnotherThread(Action action)
    {
        Thread thread = new(() => action());
        thread.Start();
        Assert.True(thread.Join(Deadline.Patience), "the other thread never came back");
    }
}
