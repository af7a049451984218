// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Debugging;
using Lguest.GuestAbi.Generations;
using Lguest.Inspect.Symbols;

namespace Lguest.Inspect.Monitor;

/// <summary>The page through which guest and hypervisor talk, field by field, and what the hypervisor keeps beside it.</summary>
internal static class LguestDataView
{
    public static string Show(IDebugPort guest, SymbolTable symbols)
    {
        StringBuilder text = new($"generation {guest.Generation}\n");
        if (guest.Data is not { } data)
        {
            text.Append("the guest has not called LGUEST_INIT yet\n");
        }
        else
        {
            // Each field is loaded once.
            uint enabled = data.IrqEnabled;
            (int seconds, int nanoseconds) = data.Time;
            text.Append($"lguest_data at physical 0x{data.Address:x8}{(symbols.Describe(data.Address + guest.PageOffset) is { } name ? $" <{name}>" : string.Empty)}\n");
            text.Append($"  irq_enabled         0x{enabled:x} ({((enabled & GuestData.InterruptFlag) != 0 ? "on" : "off")})\n");
            text.Append($"  blocked_interrupts  0x{data.BlockedInterrupts:x8}\n");
            text.Append($"  cr2                 0x{data.Cr2:x8}\n");
            text.Append($"  time                {seconds}.{nanoseconds:d9} ({DateTimeOffset.FromUnixTimeSeconds(seconds):u})\n");
            text.Append("  hcall_status        ").Append(Ring(data)).Append('\n');
            text.Append($"  reserve_mem         0x{data.ReserveMem:x8}\n");
            if (data.GuestId is { } number)
                text.Append($"  guestid             {number}\n");
            text.Append($"  tsc_khz             {data.TscKhz}\n");
            (uint start, uint end) = data.NoIrq;
            text.Append($"  noirq_start, end    {symbols.Format(start)}, {symbols.Format(end)}\n");
        }

        text.Append($"irqs pending          0x{guest.IrqsPending:x8}\n");
        text.Append($"halted                {(guest.IsHalted ? "yes" : "no")}\n");
        text.Append($"clock interrupt       {(guest.ClockEventIn < 0 ? "not asked for" : $"in {guest.ClockEventIn} ns")}\n");
        text.Append($"task switched         {(guest.Registers.IsTaskSwitched ? "yes" : "no")}\n");
        (uint selector, uint pointer, uint pages) = guest.KernelStack;
        text.Append($"kernel stack          {selector:x4}:{pointer:x8}, {pages} page(s)\n");
        text.Append($"page directory        0x{guest.PageDirectory:x8}\n");
        return text.ToString();
    }

    private static string Ring(GuestData data)
    {
        List<int> pending = [];
        for (int i = 0; i < GuestData.RingSize; i++)
        {
            if (data.IsPending(i))
                pending.Add(i);
        }

        return pending.Count == 0 ? $"all {GuestData.RingSize} done" : $"{pending.Count} of {GuestData.RingSize} pending: {string.Join(' ', pending)}";
    }
}
