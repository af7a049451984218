// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Debugging;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Tests.Contract;

/// <summary>What those see, and change, who look into a guest at rest.</summary>
public abstract partial class EngineContract
{
    /// <summary>
    /// Whatever an engine keeps elsewhere while it runs (flags that are not worked out yet, a floating point stack in the host's
    /// registers) is there for who looks, and what is set is what the guest goes on with.
    /// </summary>
    [Fact]
    public void RegistersAtRestAreTheGuests()
    {
        const uint place = GuestPlan.PageOffset + GuestPlan.Scratch;
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Asm.fninit();
            g.Asm.fld1();
            g.Asm.mov(esi, 0x1234_5678);
            g.Asm.mov(eax, 0x7FFF_FFFF);
            g.Asm.add(eax, 1);
            g.Mark("here");
            g.Asm.pushfd();
            g.Asm.pop(edi);
            g.Asm.fstp(__dword_ptr[place]);
            g.Asm.mov(__[place + 4], esi);
            g.Asm.mov(__word_ptr[place + 8], fs);
            g.Report(edi);
        });
        Looker looker = new(guest.Guest, new HashSet<uint> { guest.Address("here") }, static port =>
        {
            IRegisters registers = port.Registers;
            FxImage floats = registers.FloatingPoint;
            string seen = $"{registers[GeneralRegister.Eax]:x} {registers[GeneralRegister.Esi]:x} {registers.Flags & EFlags.Arithmetic:x} ring {registers.Cpl} "
                + $"{registers.Segment(SegmentName.Cs).Selector:x} {Convert.ToHexStringLower(Stack(ref floats)[..10])} top {floats.Top} {floats.Tags:x}";
            registers[GeneralRegister.Esi] = 0xCAFE;
            registers.Flags = EFlags.Fixed | EFlags.Carry | EFlags.Zero;
            Stack(ref floats)[8] = 0;
            Stack(ref floats)[9] = 0x40;
            registers.FloatingPoint = floats;
            return $"{seen} {registers.TryLoadSegment(SegmentName.Fs, Selectors.KernelData)} {registers.TryLoadSegment(SegmentName.Fs, 8 * 30)}";
        });
        uint flags = guest.Next();
        Assert.Equal("80000000 12345678 894 ring 1 61 0000000000000080ff3f top 7 80 True False", looker.Seen);
        Assert.Equal(EFlags.Fixed | EFlags.Carry | EFlags.Zero | EFlags.Interrupt, flags & (EFlags.Arithmetic | EFlags.Fixed | EFlags.Interrupt));
        Assert.Equal(2f, BitConverter.UInt32BitsToSingle(guest.Memory.ReadUInt32(GuestPlan.Scratch)));
        Assert.Equal(0xCAFEu, guest.Memory.ReadUInt32(GuestPlan.Scratch + 4));
        Assert.Equal(Selectors.KernelData, guest.Memory.ReadUInt32(GuestPlan.Scratch + 8) & 0xFFFF);
    }

    private static Span<byte> Stack(ref FxImage image) => MemoryMarshal.AsBytes(new Span<FxImage>(ref image))[FxImage.Place.Stack..FxImage.Place.Xmm];

    /// <summary>Stops a guest at a place, has somebody look at it from another thread, and lets it go.</summary>
    private sealed class Looker : IGuestDebugger
    {
        private readonly IDebugPort _port;
        private readonly Func<IDebugPort, string> _look;
        private volatile string _seen = "nothing";

        public Looker(IDebugPort port, HashSet<uint> places, Func<IDebugPort, string> look)
        {
            _port = port;
            _look = look;
            port.SetBreakpoints(places);
            port.Debugger = this;
        }

        public string Seen => _seen;

        public void Stopped(in GuestStop stop)
        {
            StopCause cause = stop.Cause;
            Task.Run(() => _port.Invoke(() =>
            {
                _seen = cause == StopCause.Breakpoint ? _look(_port) : cause.ToString();
                _port.SetBreakpoints(new HashSet<uint>());
                _port.Debugger = null;
                _port.Resume();
            }));
        }
    }
}
