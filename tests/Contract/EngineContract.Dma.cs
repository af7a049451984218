// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Tests.Contract;

/// <summary>Buffers that are bound, sent and handed out.</summary>
public abstract partial class EngineContract
{
    private static uint Bind(uint count, uint irq) => (count << 8) | irq;

    [Fact]
    public void SentDmaReachesTheLauncherAsItIs()
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Call(HypercallKind.SendDma, 0x100, 0xDEAD_BEEF);
            g.Report(1);
        });

        // Where the buffers are is the device's business.
        Assert.Equal(0xDEAD_BEEFu, guest.Next());
        Assert.Equal(0x100u, guest.Key);
        Assert.Equal(1u, guest.Next());
    }

    [Theory]
    [InlineData(0x102u)]
    [InlineData(GuestPlan.MemoryBytes)]
    public void SendingToAKeyThatIsNoAddressKills(uint key)
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Call(HypercallKind.SendDma, key, 0);
        });
        Assert.Equal("bad sending DMA key", guest.Death());
    }

    [Theory]
    [InlineData(0x41u, "bad dma key 0x41")]
    [InlineData(GuestPlan.MemoryBytes, "bad dma key 0x200000")]
    public void BindingAtAKeyThatIsNoAddressKills(uint key, string reason)
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Call(HypercallKind.BindDma, key, GuestPlan.DmaArray, Bind(1, 1));
        });
        Assert.Equal(reason, guest.Death());
    }

    [Fact]
    public void FreeBuffersAreHandedOutInOrderWithTheirIrq()
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Call(HypercallKind.BindDma, 0x40, GuestPlan.DmaArray, Bind(3, 5));
            g.Asm.mov(esi, eax);
            g.Report(esi);
            g.Spin();
        });
        Assert.Equal(1u, guest.Next());
        for (uint i = 0; i < 3; i++)
        {
            uint buffer = GuestPlan.DmaArray + (i * LguestDma.Size);
            Assert.Equal(buffer, guest.Channel.GetDma(0x40));
            Assert.Equal(5u, guest.Memory.ReadUInt32(buffer));
        }

        // The genuine one gave out the last again, and overwrote it.
        Assert.Equal(-Errno.ENOENT, guest.Channel.GetDma(0x40));
        guest.Memory.WriteUInt32(GuestPlan.DmaArray + LguestDma.Size, 0);
        Assert.Equal(GuestPlan.DmaArray + LguestDma.Size, guest.Channel.GetDma(0x40));
        guest.RunQuietly(5);
    }

    [Fact]
    public void NothingBoundIsNothingFree()
    {
        using TinyGuest guest = StartSpinning();
        Assert.Equal(-Errno.ENOENT, guest.Channel.GetDma(0));
        Assert.Equal(-Errno.ENOENT, guest.Channel.GetDma(0x40));
        guest.RunQuietly(5);
    }

    [Fact]
    public void AnArrayOfNoBuffersHasNoneFree()
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Call(HypercallKind.BindDma, 0x40, GuestPlan.DmaArray, Bind(0, 5));
            g.Report(eax);
            g.Spin();
        });
        guest.Next();
        Assert.Equal(-Errno.ENOENT, guest.Channel.GetDma(0x40));
    }

    [Fact]
    public void TheCountHas16Bits()
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Call(HypercallKind.BindDma, 0x40, GuestPlan.DmaArray, Bind(0x10000, 5));
            g.Report(eax);
            g.Spin();
        });
        guest.Next();
        Assert.Equal(-Errno.ENOENT, guest.Channel.GetDma(0x40));
    }

    [Theory]
    [InlineData(32u)]
    [InlineData(255u)]
    public void AnIrqThatDoesNotExistIsNotBound(uint irq)
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Call(HypercallKind.BindDma, 0x40, GuestPlan.DmaArray, Bind(1, irq));
            g.Asm.mov(esi, eax);
            g.Report(esi);
            g.Spin();
        });
        Assert.Equal(0u, guest.Next());
        Assert.Equal(-Errno.ENOENT, guest.Channel.GetDma(0x40));
    }

    [Fact]
    public void UnbindingTakesBothKeyAndArray()
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Call(HypercallKind.BindDma, 0x40, GuestPlan.DmaArray, Bind(2, 5));
            foreach ((uint key, uint array) in new[] { (0x44u, GuestPlan.DmaArray), (0x40u, GuestPlan.DmaArray + 4), (0x40u, GuestPlan.DmaArray), (0x40u, GuestPlan.DmaArray) })
            {
                g.Call(HypercallKind.BindDma, key, array, 0);
                g.Asm.mov(esi, eax);
                g.Report(esi);
            }

            g.Spin();
        });
        Assert.Equal(0u, guest.Next());
        Assert.Equal(0u, guest.Next());
        Assert.Equal(GuestPlan.DmaArray, guest.Channel.GetDma(0x40));
        Assert.Equal(1u, guest.Next());
        Assert.Equal(-Errno.ENOENT, guest.Channel.GetDma(0x40));

        // Doing it twice brought the genuine host down.
        Assert.Equal(0u, guest.Next());
        guest.RunQuietly(5);
    }

    [Fact]
    public void ThirtyTwoBindingsAreAllThereAre()
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            for (uint i = 0; i < 34; i++)
            {
                g.Call(HypercallKind.BindDma, 0x40 + (i * 4), GuestPlan.DmaArray, Bind(1, 5));
                g.Asm.mov(esi, eax);
                g.Report(esi);
            }

            g.Call(HypercallKind.BindDma, 0x40, GuestPlan.DmaArray, 0);
            g.Call(HypercallKind.BindDma, 0x400, GuestPlan.DmaArray, Bind(1, 5));
            g.Asm.mov(esi, eax);
            g.Report(esi);
        });
        for (int i = 0; i < 34; i++)
            Assert.Equal(i < 32 ? 1u : 0u, guest.Next());
        Assert.Equal(1u, guest.Next());
    }

    [Fact]
    public void TheLatestBindingOfAKeyCounts()
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Call(HypercallKind.BindDma, 0x40, GuestPlan.DmaArray, Bind(1, 5));
            g.Call(HypercallKind.BindDma, 0x40, GuestPlan.DmaArray + 0x100, Bind(1, 6));
            g.Report(1);
            g.Spin();
        });
        guest.Next();
        Assert.Equal(GuestPlan.DmaArray + 0x100, guest.Channel.GetDma(0x40));
    }
}
