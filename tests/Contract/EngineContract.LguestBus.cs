// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Tests.Contract;

/// <summary>Guests of 2.6.24 to 3.19: how each generation calls, and that a NOTIFY brings it out.</summary>
public abstract partial class EngineContract
{
    private static readonly Generation[] s_onTheBus =
        [Generation.Linux2624, Generation.Linux2625, Generation.Linux2630, Generation.Linux2631, Generation.Linux2634, Generation.Linux31];

    public static TheoryData<string> OnTheBus => [.. s_onTheBus.Select(static generation => generation.Name)];

    private TinyGuest StartOnBus(string generation, Action<GuestProgram> program, Action<GuestMemory>? prepare = null) =>
        new(kind, program, Array.Find(s_onTheBus, one => one.Name == generation), prepare: prepare, tablesEnd: GuestPlan.MemoryBytes - 0x8000);

    [Theory]
    [MemberData(nameof(OnTheBus))]
    public void ANotifyBringsTheGuestOut(string generation)
    {
        using TinyGuest guest = StartOnBus(generation, static g =>
        {
            g.Boot();
            g.Call(HypercallKind.Notify, GuestPlan.Text);
            g.Call(HypercallKind.Notify, 0xFFFF_FFFE);
            g.Spin();
        });
        Assert.Equal(RunExit.Notify(GuestPlan.Text), guest.Run());
        Assert.Equal(RunExit.Notify(0xFFFF_FFFE), guest.Run());
        guest.RunQuietly(10);
    }

    /// <summary>The ring comes first, and stops at each NOTIFY until the launcher has seen it.</summary>
    [Theory]
    [MemberData(nameof(OnTheBus))]
    public void NotifiesOfTheRingComeFirst(string generation)
    {
        Generation abi = Array.Find(s_onTheBus, one => one.Name == generation)!;
        using TinyGuest guest = StartOnBus(
            generation,
            static g =>
            {
                g.Boot();
                g.Call(HypercallKind.Notify, 0x3000);
            },
            memory =>
            {
                for (uint slot = 0; slot < 2; slot++)
                {
                    uint start = GuestPlan.Data + abi.Data.Ring + (slot * (uint)abi.Convention.SlotWords * sizeof(uint));
                    for (uint word = 1; word < abi.Convention.SlotWords; word++)
                        memory.WriteUInt32(start + (word * sizeof(uint)), 0xDEAD);
                    memory.WriteUInt32(start, 17);
                    memory.WriteUInt32(start + ((uint)abi.Convention.Places[0] * sizeof(uint)), 0x1000 * (slot + 1));
                    memory.Write(GuestPlan.Data + abi.Data.RingStatus + slot, 1).Clear();
                }
            });

        // Not by the first call: the ring begins to be looked at after it.
        Assert.Equal(RunExit.Notify(0x1000), guest.Run());
        Assert.Equal(0, guest.Memory.ReadValue<byte>(GuestPlan.Data + abi.Data.RingStatus + 1));
        Assert.Equal(RunExit.Notify(0x2000), guest.Run());
        Assert.Equal(RunExit.Notify(0x3000), guest.Run());
    }

    /// <summary>Where calls are made by VMCALL, the first one is, too.</summary>
    [Theory]
    [InlineData("2.6.30")]
    [InlineData("2.6.31")]
    public void EveryCallMayBeByVmcall(string generation)
    {
        using TinyGuest guest = StartOnBus(generation, static g =>
        {
            g.Asm.mov(eax, 1);
            g.Asm.mov(ebx, GuestPlan.Data);
            g.Asm.mov(edx, 0xDEAD_BEEF);
            g.Asm.vmcall();
            g.Asm.mov(eax, 17);
            g.Asm.mov(ebx, GuestPlan.Text);
            g.Asm.vmcall();
        });
        Assert.Equal(RunExit.Notify(GuestPlan.Text), guest.Run());
    }

    /// <summary>In the flags that an instruction before it leaves undefined, engines may differ, as with INT.</summary>
    [Fact]
    public void AVmcallMayFollowUndefinedFlags()
    {
        using TinyGuest guest = StartOnBus("2.6.31", static g =>
        {
            g.Boot();
            g.Asm.mov(ebx, 3);
            g.Asm.mov(eax, 17);
            for (int i = 0; i < 3; i++)
            {
                g.Asm.mov(eax, 17);
                g.Asm.shl(ebx, 12);
                g.Asm.vmcall();
            }
        });
        Assert.Equal(RunExit.Notify(0x3000), guest.Run());
        Assert.Equal(RunExit.Notify(0x300_0000), guest.Run());
    }

    /// <summary>A kernel whose vendor has given it another interface than its release has: it is said, not guessed at.</summary>
    [Theory]
    [InlineData("2.6.24", "2.6.31", true)]
    [InlineData("2.6.25", "2.6.24", true)]
    [InlineData("3.1", "4.1", true)]
    [InlineData("2.6.31", "2.6.24", false)]
    public void AnotherFirstCallIsRecognized(string generation, string layout, bool inEbx)
    {
        GuestDataLayout other = GuestDataLayout.All.Single(one => one.Name == layout);
        using TinyGuest guest = StartOnBus(
            generation,
            g =>
            {
                g.Asm.mov(eax, 1);
                g.Asm.mov(ebx, inEbx ? GuestPlan.Scratch : 5);
                g.Asm.mov(edx, inEbx ? 5 : GuestPlan.Scratch);
                g.Asm.@int(0x1F);
            },
            memory =>
            {
                memory.Write(GuestPlan.Scratch + other.RingStatus, GuestData.RingSize).Fill(GuestData.RingDone);
                memory.WriteUInt32(GuestPlan.Scratch + other.KernelAddress!.Value, GuestPlan.PageOffset);
                memory.WriteUInt32(GuestPlan.Scratch + other.SystemCallVector!.Value, 0x80);
            });
        Assert.Equal($"this is no kernel of Linux {generation}: its first call is that of {layout}", guest.Death());
    }
}
