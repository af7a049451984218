// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Hypervisor;
using Lguest.Engine.Time;
using Lguest.GuestAbi;
using Lguest.Tests.Support;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Tests.Contract;

/// <summary>A halted guest costs nothing, whatever it waits for.</summary>
public abstract partial class EngineContract
{
    [Theory]
    [InlineData("irq")]
    [InlineData("masked irq")]
    [InlineData("clock")]
    public void AHaltedGuestUsesNoProcessor(string waitsFor)
    {
        const int milliseconds = 300;
        using TinyGuest guest = Start(
            g =>
            {
                g.Boot();
                g.Interrupts(on: true);
                if (waitsFor == "clock")
                    g.Call(HypercallKind.SetClockEvent, 4_000_000_000);
                if (waitsFor == "masked irq")
                    g.Asm.mov(__dword_ptr[GuestPlan.Virtual(GuestPlan.Data) + 4], 0xFFFF_FFFF);
                g.Report(1);
                g.Call(HypercallKind.Halt);
            },
            clock: new HostTime());
        guest.Next();
        if (waitsFor == "masked irq")
            guest.Channel.RaiseIrq(3);
        guest.RunQuietly(20);
        Tries.Below(milliseconds / 20.0, $"milliseconds of processor time in {milliseconds} ms of halt", () =>
        {
            TimeSpan before = ThreadTime.Now;
            guest.RunQuietly(milliseconds);
            return (ThreadTime.Now - before).TotalMilliseconds;
        });
    }
}
