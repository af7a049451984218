// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Tests.Contract;

/// <summary>Ports, and addresses that are no memory: each access reaches its device once, as the instruction made it.</summary>
public abstract partial class EngineContract
{
    private TinyGuest StartWithDevices(Action<GuestProgram> program, out RecordingDevices devices, Action<GuestMemory>? prepare = null)
    {
        devices = new RecordingDevices();
        TinyGuest guest = StartLater(program, memory =>
        {
            LaterGuest.MapDevices(memory);
            prepare?.Invoke(memory);
        });
        guest.Guest.Devices = devices;
        return guest;
    }

    [Fact]
    public void PortsAnswerInTheirWidth()
    {
        using TinyGuest guest = StartWithDevices(
            static g =>
            {
                g.Boot();
                g.Asm.mov(eax, 0x1234_5678);
                g.Asm.mov(edx, 0xCF8);
                g.Asm.@out(dx, eax);
                g.Asm.inc(edx);
                g.Asm.@out(dx, al);
                g.Asm.@out(dx, ax);
                g.Asm.@in(al, dx);
                g.Asm.mov(esi, eax);
                g.Asm.@in(ax, dx);
                g.Asm.mov(edi, eax);
                g.Asm.@in(eax, dx);
                g.Asm.mov(ebp, eax);
                g.Report(esi);
                g.Report(edi);
                g.Report(ebp);
            },
            out RecordingDevices devices);
        Assert.Equal([0x1234_5601u, 0x1234_4302u, 0x8765_4303u], [guest.Next(), guest.Next(), guest.Next()]);
        Assert.Equal(["out 0xcf8/4=0x12345678", "out 0xcf9/1=0x78", "out 0xcf9/2=0x5678", "in 0xcf9/1", "in 0xcf9/2", "in 0xcf9/4"], devices.Accesses);
    }

    /// <summary>Where nobody is there are ones, but for two ports at which kernels would wait.</summary>
    [Fact]
    public void PortsOfNobody()
    {
        using TinyGuest guest = StartWithDevices(
            static g =>
            {
                g.Boot();
                foreach (byte port in (ReadOnlySpan<byte>)[0x42, 0x64, 0x71])
                {
                    g.Asm.mov(eax, 0x1234_5678);
                    g.Asm.@in(al, port);
                    g.Asm.mov(esi, eax);
                    g.Report(esi);
                }

                g.Asm.mov(eax, 0xFE);
                g.Asm.@out(0x64, al);
            },
            out RecordingDevices devices);
        Assert.Equal([0x1234_5600u, 0x1234_5601u, 0x1234_56FFu], [guest.Next(), guest.Next(), guest.Next()]);
        Assert.Equal(RunExitKind.Restart, guest.Run().Kind);
        Assert.Empty(devices.Accesses);
    }

    [Fact]
    public void EachAccessReachesItsDeviceOnce()
    {
        using TinyGuest guest = StartWithDevices(
            static g =>
            {
                g.BootWithRings();

                // More than once, since engines look at an instruction another way after its first time.
                g.Asm.mov(ebp, 3);
                g.Mark("again");
                g.Asm.mov(esi, 0x1234_5678);
                g.Asm.mov(__dword_ptr[LaterGuest.Device], esi);
                g.Asm.mov(__word_ptr[LaterGuest.Device + 4], si);
                g.Asm.mov(__byte_ptr[LaterGuest.Device + 7], 0x9A);
                g.Asm.mov(esi, __dword_ptr[LaterGuest.Device + 8]);
                g.Asm.movzx(edi, __word_ptr[LaterGuest.Device + 12]);
                g.Asm.mov(bl, __byte_ptr[LaterGuest.Device + 15]);
                g.Asm.or(__byte_ptr[LaterGuest.Device + 16], 0);
                g.Asm.dec(ebp);
                g.Asm.jnz(g.Here("again"));
                g.Report(1);
            },
            out RecordingDevices devices);
        Assert.Equal(1u, guest.Next());
        List<string> expected = [];
        for (uint i = 0; i < 3; i++)
        {
            expected.AddRange(["write 0x300000/4=0x12345678", "write 0x300004/2=0x5678", "write 0x300007/1=0x9a", "read 0x300008/4", "read 0x30000c/2", "read 0x30000f/1", "read 0x300010/1"]);
            expected.Add($"write 0x300010/1=0x{4 + (4 * i):x}");
        }

        Assert.Equal(expected, devices.Accesses);
    }

    [Fact]
    public void StringsAndLongOperandsReachDevicesPieceByPiece()
    {
        using TinyGuest guest = StartWithDevices(
            static g =>
            {
                g.BootWithRings();
                g.Asm.cld();
                g.Asm.mov(esi, LaterGuest.Device);
                g.Asm.mov(edi, GuestPlan.Virtual(GuestPlan.Scratch));
                g.Asm.mov(ecx, 5);
                g.Asm.rep.movsd();
                g.Asm.mov(eax, 0x77);
                g.Asm.mov(edi, LaterGuest.Device + 0x100);
                g.Asm.mov(ecx, 6);
                g.Asm.rep.stosb();
                g.Asm.movq(xmm0, __qword_ptr[LaterGuest.Device + 0x200]);
                g.Asm.movq(__qword_ptr[LaterGuest.Device + 0x208], xmm0);
                g.Report(1);
            },
            out RecordingDevices devices);
        Assert.Equal(1u, guest.Next());
        Assert.Equal(
            [
                .. Enumerable.Range(0, 5).Select(static i => $"read 0x{0x300000 + (4 * i):x}/4"),
                .. Enumerable.Range(0, 6).Select(static i => $"write 0x{0x300100 + i:x}/1=0x77"),
                "read 0x300200/4", "read 0x300204/4", "write 0x300208/4=0x87654306", "write 0x30020c/4=0x87654307",
            ],
            devices.Accesses);
        Assert.Equal([0x8765_4301u, 0x8765_4305u], [guest.Memory.ReadUInt32(GuestPlan.Scratch), guest.Memory.ReadUInt32(GuestPlan.Scratch + 16)]);
    }

    /// <summary>Reading clears some registers of devices: what faults for another reason has not read.</summary>
    [Fact]
    public void WhatFaultsHasNotRead()
    {
        using TinyGuest guest = StartWithDevices(
            static g =>
            {
                g.BootWithRings();
                g.Gate(14, "trap14");
                g.Asm.mov(esi, LaterGuest.Device);
                g.Asm.mov(edi, GuestPlan.Virtual(GuestPlan.Scratch));
                g.Asm.movsd();
                g.Trap(14, hasError: true);
            },
            out RecordingDevices devices,
            static memory => memory.WriteUInt32(GuestPlan.KernelTable + (GuestPlan.Scratch >> Page.Shift) * 4, 0));
        Assert.Equal(2u, guest.NextTrap(14).Error);
        Assert.Equal(GuestPlan.Virtual(GuestPlan.Scratch), guest.Data.Cr2);
        Assert.Empty(devices.Accesses);
    }

    /// <summary>A device raises its irq from inside the access, and the guest has it at once.</summary>
    [Fact]
    public void AnIrqFromInsideAnAccessComesAfterIt()
    {
        using TinyGuest guest = StartWithDevices(
            static g =>
            {
                Interruptible(g, enabled: true);
                g.Asm.mov(__word_ptr[LaterGuest.Device + 56], 1);
                g.Mark("loop");
                g.Asm.jmp(g.Here("loop"));
                IrqHandlers(g);
            },
            out RecordingDevices devices);
        devices.Accessed = () => guest.Guest.RaiseIrq(1);
        Assert.Equal(guest.Address("loop"), guest.NextTrap(33).Eip);
        Assert.Equal(["write 0x300038/2=0x1"], devices.Accesses);
    }

    /// <summary>What a device writes is there for the next instruction, code included.</summary>
    [Fact]
    public void WhatADeviceWritesIsSeenAtOnce()
    {
        using TinyGuest guest = StartWithDevices(
            static g =>
            {
                g.BootWithRings();
                g.Asm.mov(ebp, 2);
                g.Mark("again");
                g.Asm.mov(edi, 5);
                g.Asm.mov(__word_ptr[LaterGuest.Device + 56], 1);
                g.Mark("patched");
                g.Asm.mov(esi, 10);
                g.Asm.add(esi, __dword_ptr[GuestPlan.Virtual(GuestPlan.Scratch)]);
                g.Report(esi);
                g.Asm.dec(ebp);
                g.Asm.jnz(g.Here("again"));
            },
            out RecordingDevices devices);
        uint value = 0;
        devices.Accessed = () =>
        {
            value++;
            guest.Memory.Write(guest.Address("patched") - GuestPlan.PageOffset + 1, 1)[0] = (byte)(20 * value);
            guest.Memory.AnnounceWrite(guest.Address("patched") - GuestPlan.PageOffset + 1, 1);
            guest.Memory.WriteUInt32(GuestPlan.Scratch, value);
            guest.Memory.AnnounceWrite(GuestPlan.Scratch, 4);
        };
        Assert.Equal([21u, 42u], [guest.Next(), guest.Next()]);
    }

    [Theory]
    [InlineData(true, "code at the address of a device, 0x00300010")]
    [InlineData(false, "bad page table entry")]
    public void CodeIsInMemory(bool isThere, string reason)
    {
        using TinyGuest guest = StartWithDevices(
            static g =>
            {
                g.BootWithRings();
                g.Asm.mov(eax, LaterGuest.Device + 16);
                g.Asm.jmp(eax);
            },
            out _);
        if (!isThere)
            guest.Guest.Devices = null;
        Assert.Equal(reason, guest.Death());
    }

    /// <summary>A device's page that SET_PTE announces as used is judged as one, with how it is cached.</summary>
    [Fact]
    public void ADevicesPageMayBeAnnounced()
    {
        const uint entry = LaterGuest.DevicePage | GuestPlan.Mapped | (uint)(PageFlags.CacheDisable | PageFlags.WriteThrough);
        using TinyGuest guest = StartWithDevices(
            static g =>
            {
                g.BootWithRings();
                g.Call(HypercallKind.SetPte, GuestPlan.Directory, LaterGuest.Device, entry);
                g.Call(HypercallKind.SetPte, GuestPlan.Directory, LaterGuest.Device, entry + Page.Size);
            },
            out _);
        Assert.Equal("bad page table entry", guest.Death());
    }
}
