// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;

namespace Lguest.Launcher.Debugging.Monitor;

/// <summary>The hypercalls as the kernel's sources call them, with what their arguments mean.</summary>
public static class HypercallNames
{
    private static readonly Dictionary<HypercallKind, (string Name, string[] Arguments)> Known = new()
    {
        [HypercallKind.None] = ("(no such call)", ["edx", "ebx", "ecx"]),
        [HypercallKind.FlushAsync] = ("FLUSH_ASYNC", []),
        [HypercallKind.LguestInit] = ("LGUEST_INIT", ["data"]),
        [HypercallKind.Crash] = ("CRASH", ["text"]),
        [HypercallKind.LoadGdt] = ("LOAD_GDT", ["table", "entries"]),
        [HypercallKind.NewPageTable] = ("NEW_PGTABLE", ["directory"]),
        [HypercallKind.FlushTlb] = ("FLUSH_TLB", ["kernel"]),
        [HypercallKind.LoadIdtEntry] = ("LOAD_IDT_ENTRY", ["vector", "low", "high"]),
        [HypercallKind.SetStack] = ("SET_STACK", ["ss", "esp", "pages"]),
        [HypercallKind.SetTaskSwitched] = ("TS", ["ts"]),
        [HypercallKind.SetClockEvent] = ("SET_CLOCKEVENT", ["ns"]),
        [HypercallKind.Halt] = ("HALT", []),
        [HypercallKind.BindDma] = ("BIND_DMA", ["key", "array", "n_irq"]),
        [HypercallKind.SendDma] = ("SEND_DMA", ["key", "dma"]),
        [HypercallKind.SetPte] = ("SET_PTE", ["directory", "address", "entry"]),
        [HypercallKind.SetPmd] = ("SET_PMD", ["directory", "index"]),
        [HypercallKind.LoadTls] = ("LOAD_TLS", ["table"]),
        [HypercallKind.TimerRead] = ("TIMER_READ", []),
        [HypercallKind.TimerStart] = ("TIMER_START", ["hz"]),
        [HypercallKind.GetWallclock] = ("GET_WALLCLOCK", []),
    };

    /// <summary>The name.</summary>
    public static string Of(HypercallKind kind) => Known[kind].Name;

    /// <summary>The names of its arguments, in the order %edx, %ebx, %ecx; those it does not have are left out.</summary>
    public static IReadOnlyList<string> Arguments(HypercallKind kind) => Known[kind].Arguments;

    /// <summary>One of the three arguments.</summary>
    public static uint Argument(in HypercallRingEntry call, int index) => index switch { 0 => call.Edx, 1 => call.Ebx, _ => call.Ecx };

    /// <summary>Whether %eax has a result behind the call.</summary>
    public static bool HasResult(HypercallKind kind) =>
        kind is HypercallKind.BindDma or HypercallKind.TimerRead or HypercallKind.GetWallclock;

    /// <summary>The call with its arguments, as <c>SET_PTE(directory=0x..., address=0x..., entry=0x...)</c>.</summary>
    public static string Describe(HypercallKind kind, in HypercallRingEntry call)
    {
        (string name, string[] arguments) = Known[kind];
        string[] texts = new string[arguments.Length];
        for (int i = 0; i < texts.Length; i++)
            texts[i] = $"{arguments[i]}=0x{Argument(in call, i):x}";
        return kind == HypercallKind.None ? $"hypercall {call.Eax}({string.Join(", ", texts)})" : $"{name}({string.Join(", ", texts)})";
    }
}
