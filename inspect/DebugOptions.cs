// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Inspect.Sockets;
using Lguest.Inspect.Statistics;
using Lguest.Inspect.Trace;

namespace Lguest.Inspect;

/// <summary>What the command line asks for that looks into the guest. All of it may be left out, and then costs nothing.</summary>
public sealed class DebugOptions
{
    /// <summary>Where to listen for gdb; null: nowhere.</summary>
    public SocketAddress? Gdb { get; set; }

    /// <summary>Stop before the first instruction, until gdb comes.</summary>
    public bool GdbWait { get; set; }

    /// <summary>What to trace from the start; null: nothing.</summary>
    public TraceRequest? Trace { get; set; }

    /// <summary>A System.map in place of the kernel's own symbols; null: those of the ELF file, if it has any.</summary>
    public string? Symbols { get; set; }

    /// <summary>Where a dead guest's memory goes; null: nowhere.</summary>
    public string? CoreDump { get; set; }

    /// <summary>Where the report goes; null: nowhere.</summary>
    public string? Report { get; set; }

    /// <summary>How to tell at the end what was counted; null: not at all.</summary>
    public StatisticsRequest? Statistics { get; set; }

    /// <summary>Where to listen for <c>lguest ctl</c>; null: nowhere.</summary>
    public SocketAddress? Control { get; set; }
}
