// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices;
using Lguest.Inspect.Symbols;

namespace Lguest.Inspect;

/// <summary>What is read and written to look into a guest, opened by the launcher before the guest runs. Whoever opened it closes it.</summary>
/// <param name="Kernel">The kernel's file, for its symbols and its name.</param>
/// <param name="OpenTrace">Opens a file for a trace that somebody asks for while the guest runs.</param>
public sealed record InspectionFiles(string Kernel, Func<string, OutputFile> OpenTrace)
{
    /// <summary>Symbols in place of those in the kernel's file.</summary>
    public SymbolTable? Symbols { get; init; }

    /// <summary>Of <c>--report</c>.</summary>
    public OutputFile? Report { get; init; }

    /// <summary>Of <c>--stats</c>, unless they go to standard error.</summary>
    public OutputFile? Statistics { get; init; }

    /// <summary>Of <c>--trace</c>, unless it goes to standard error.</summary>
    public OutputFile? Trace { get; init; }

    /// <summary>Of <c>--coredump</c>.</summary>
    public OutputFile? CoreDump { get; init; }
}
