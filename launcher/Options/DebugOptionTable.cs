// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Inspect.Sockets;
using Lguest.Inspect.Statistics;
using Lguest.Inspect.Trace;
using Lguest.Launcher.Common;

namespace Lguest.Launcher.Options;

/// <summary>The command line's options for looking into a guest.</summary>
public static class DebugOptionTable
{
    private const int GdbPort = 1234;

    /// <summary>Every one, by the alphabet.</summary>
    public static IReadOnlyList<LaunchOption> All { get; } =
    [
        new("control", '\0', "unix:PATH", "listen for 'lguest ctl PATH ...' (status, pause, resume, stats,\ndirty, trace, console, log, monitor, poweroff, kill)",
            static (options, value) => options.Debug.Control = SocketAddress.ParseUnix("control", value)),
        new("coredump", '\0', "FILE", "when the guest dies, write its memory and registers to an ELF core",
            static (options, value) => options.Debug.CoreDump = FileName("coredump", value)),
        new("gdb", '\0', "HOST:PORT|unix:PATH", $"let gdb attach, by default at 127.0.0.1:{GdbPort}",
            static (options, value) => options.Debug.Gdb = SocketAddress.Parse("gdb", value, GdbPort), ValueOptional: true),
        new("gdb-wait", '\0', null, "stop before the guest's first instruction until gdb attaches;\nimplies --gdb",
            static (options, _) =>
            {
                options.Debug.GdbWait = true;
                options.Debug.Gdb ??= SocketAddress.Parse("gdb", string.Empty, GdbPort);
            }),
        new("report", '\0', "FILE.html", "write a page with the run's timeline, counts, memory map and\nflame graph",
            static (options, value) => options.Debug.Report = FileName("report", value)),
        new("stats", '\0', "FILE[,format=json]", "at the end, print what was counted and where the time went, on\nstandard error or to a file",
            static (options, value) => options.Debug.Statistics = StatisticsRequest.Parse(value), ValueOptional: true),
        new("symbols", '\0', "System.map", "the kernel's symbols, for a kernel file without any",
            static (options, value) => options.Debug.Symbols = FileName("symbols", value)),
        new("trace", '\0', "LIST[,file=PATH][,format=json]", $"write events to standard error or a file; LIST of {string.Join(", ", TraceRequest.Names)}\nor all (all but exec); off waits for 'lguest ctl PATH trace on'",
            static (options, value) => options.Debug.Trace = TraceRequest.Parse(value)),
    ];

    private static string FileName(string option, string value) =>
        value.Length > 0 ? value : throw new LaunchException($"--{option} needs the name of a file: --{option}=FILE");
}
