// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using Lguest.GuestAbi;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Tests.Contract;

/// <summary>How a guest ends, and how its launcher is told.</summary>
public abstract partial class EngineContract
{
    private static void PutText(GuestMemory memory, string text) =>
        Encoding.Latin1.GetBytes(text + '\0').CopyTo(memory.Write(GuestPlan.Text, (uint)text.Length + 1));

    [Fact]
    public void DeathIsToldOnceAndThenItsReason()
    {
        using TinyGuest guest = Start(
            g =>
            {
                g.Boot();
                g.Call(HypercallKind.Crash, GuestPlan.Text);
            },
            prepare: memory => PutText(memory, "Power down"));
        Assert.Equal(-Errno.ENOENT, guest.Read());
        byte[] text = new byte[64];
        Array.Fill(text, (byte)0xAA);
        Assert.Equal(18, guest.Channel.Read(text));
        Assert.Equal("CRASH: Power down\0"u8.ToArray(), text[..18]);
        Assert.Equal(0xAA, text[18]);

        // As often as it is asked for.
        Assert.Equal("CRASH: Power down", guest.Reason());
    }

    [Fact]
    public void TheReasonIsCutToTheBuffer()
    {
        using TinyGuest guest = Start(
            g =>
            {
                g.Boot();
                g.Call(HypercallKind.Crash, GuestPlan.Text);
            },
            prepare: memory => PutText(memory, "Power down"));
        Assert.Equal(-Errno.ENOENT, guest.Read());
        byte[] text = new byte[5];
        Assert.Equal(5, guest.Channel.Read(text));
        Assert.Equal("CRASH"u8.ToArray(), text);
        Assert.Equal(0, guest.Channel.Read(Memory<byte>.Empty));
    }

    [Fact]
    public void WritesAfterDeathFindNobody()
    {
        using TinyGuest guest = Start(g => g.CallNumber(2));
        Assert.Equal(-Errno.ENOENT, guest.Read());
        Assert.Equal(-Errno.ENOENT, guest.Channel.RaiseIrq(1));
        Assert.Equal(-Errno.ENOENT, guest.Channel.RaiseIrq(99));
        Assert.Equal(-Errno.ENOENT, guest.Channel.GetDma(0));
        Assert.Equal(-Errno.ENOENT, guest.Channel.ReleaseBreak());
        Assert.Equal(-Errno.ENOENT, guest.Channel.Initialize(512, GuestPlan.Directory, 0, GuestPlan.PageOffset));
        long other = 0;
        OnAnotherThread(() => other = guest.Channel.Break());
        Assert.Equal(-Errno.ENOENT, other);
    }

    [Fact]
    public void AGuestKilledDuringAWriteGivesItsReasonAtOnce()
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Call(HypercallKind.BindDma, 0x40, GuestPlan.MemoryBytes - 50, (1 << 8) | 3);
            g.Report(1);
        });
        guest.Next();
        Assert.Equal(-Errno.ENOENT, guest.Channel.GetDma(0x40));
        Assert.Equal("bad read address 0x1fffce len 100", guest.Reason());
    }

    [Theory]
    [InlineData(0x41u)]
    [InlineData(GuestPlan.MemoryBytes)]
    [InlineData(0xFFFF_FFFCu)]
    public void AKeyThatIsNoAddressKillsDuringGetDma(uint key)
    {
        using TinyGuest guest = StartSpinning();
        Assert.Equal(-Errno.ENOENT, guest.Channel.GetDma(key));
        Assert.Equal("bad registered DMA buffer", guest.Reason());
    }

    [Fact]
    public void PullingTheResetLineAsksForARestart()
    {
        using TinyGuest guest = Start(g =>
        {
            g.Asm.mov(al, 0xFE);
            g.Asm.@out(0x64, al);
        });
        Assert.Equal(-Errno.ERESTART, guest.Read());
        Assert.Equal(-Errno.ERESTART, guest.Read());
        Assert.Equal(-Errno.ENOENT, guest.Channel.RaiseIrq(1));
    }

    [Fact]
    public void TheResetLineCanBePulledThroughDx()
    {
        using TinyGuest guest = Start(g =>
        {
            g.Asm.mov(edx, 0x64);
            g.Asm.mov(al, 0xFE);
            g.Asm.@out(dx, al);
        });
        Assert.Equal(-Errno.ERESTART, guest.Read());
    }

    [Theory]
    [InlineData(0x64, 0xFF)]
    [InlineData(0x60, 0xFE)]
    public void NoOtherOutResets(int port, int value)
    {
        using TinyGuest guest = Start(g =>
        {
            g.Asm.mov(al, (byte)value);
            g.Asm.@out((byte)port, al);
            g.Boot();
            g.Report(5);
        });
        Assert.Equal(5u, guest.Next());
    }
}
