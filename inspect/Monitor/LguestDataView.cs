// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using Lguest.Engine.Hypervisor;
using Lguest.GuestAbi;
using Lguest.Inspect.Symbols;

namespace Lguest.Inspect.Monitor;

/// <summary>The page through which guest and hypervisor talk, field by field, and what the hypervisor keeps beside it.</summary>
internal static unsafe class LguestDataView
{
    public static string Show(Guest guest, SymbolTable symbols)
    {
        StringBuilder text = new($"generation {guest.Generation}\n");
        if (guest.Data == null)
        {
            text.Append("the guest has not called LGUEST_INIT yet\n");
        }
        else
        {
            uint address = (uint)((byte*)guest.Data - guest.Memory.Base);
            LguestData data = guest.Memory.ReadValue<LguestData>(address); // Read once
            text.Append($"lguest_data at physical 0x{address:x8}{(symbols.Describe(address + guest.PageOffset) is { } name ? $" <{name}>" : string.Empty)}\n");
            text.Append($"  irq_enabled         0x{data.IrqEnabled:x} ({((data.IrqEnabled & LguestData.InterruptFlag) != 0 ? "on" : "off")})\n");
            text.Append($"  blocked_interrupts  0x{data.BlockedInterrupts:x8}\n");
            text.Append($"  cr2                 0x{data.Cr2:x8}\n");
            text.Append($"  time                {data.TimeSeconds}.{data.TimeNanoseconds:d9} ({DateTimeOffset.FromUnixTimeSeconds(data.TimeSeconds):u})\n");
            text.Append("  hcall_status        ").Append(Ring(in data)).Append('\n');
            text.Append($"  reserve_mem         0x{data.ReserveMem:x8}\n");
            text.Append($"  guestid             {data.GuestId}\n");
            text.Append($"  tsc_khz             {data.TscKhz}\n");
            text.Append($"  noirq_start, end    {symbols.Format(data.NoIrqStart)}, {symbols.Format(data.NoIrqEnd)}\n");
        }

        text.Append($"irqs pending          0x{guest.IrqsPending:x8}\n");
        text.Append($"halted                {(guest.IsHalted ? "yes" : "no")}\n");
        text.Append($"clock interrupt       {(guest.ClockEventIn < 0 ? "not asked for" : $"in {guest.ClockEventIn} ns")}\n");
        text.Append($"task switched         {(guest.Core.Cpu->TaskSwitched != 0 ? "yes" : "no")}\n");
        (uint selector, uint pointer, uint pages) = guest.KernelStack;
        text.Append($"kernel stack          {selector:x4}:{pointer:x8}, {pages} page(s)\n");
        text.Append($"page directory        0x{guest.PageDirectory:x8}\n");
        return text.ToString();
    }

    private static string Ring(in LguestData data)
    {
        List<int> pending = [];
        for (int i = 0; i < LguestData.RingSize; i++)
        {
            if (data.HcallStatus[i] != LguestData.RingDone)
                pending.Add(i);
        }

        return pending.Count == 0 ? $"all {LguestData.RingSize} done" : $"{pending.Count} of {LguestData.RingSize} pending: {string.Join(' ', pending)}";
    }
}
