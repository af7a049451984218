// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;

namespace Lguest.Inspect.Control;

/// <summary>A command of <c>lguest ctl PATH</c>: the help, the manual page and the completion are made of these.</summary>
/// <param name="Name">The word.</param>
/// <param name="Words">What may stand after it, or nothing.</param>
/// <param name="Help">What it does, in a line.</param>
public sealed record ControlCommand(string Name, string Words, string Help)
{
    /// <summary>Column at which explanations begin.</summary>
    private const int Column = 19;

    /// <summary>Every command.</summary>
    public static IReadOnlyList<ControlCommand> All { get; } =
    [
        new("status", "[--json]", "running, paused or asleep, since when, on which engine, in which sandbox"),
        new("pause", "", "stop the guest; its clock goes on meanwhile"),
        new("resume", "", "let it run on"),
        new("stats", "[--json]", "hypercalls, interrupts, traps, times, and what went through the devices"),
        new("dirty", "[--json]", "pages of its memory written since this was last asked; the first time: note them from now on"),
        new("trace", "on|off [LIST]", "write events to the trace from now on (LIST as in --trace); off ends it"),
        new("console", "", "the console: what was said last, then live; ^] detaches"),
        new("log", "", "what was said last (64 KiB are kept)"),
        new("monitor", "WORDS", "any of gdb's monitor commands; monitor help lists them"),
        new("poweroff", "", "end the launcher as SIGTERM does: disks saved, terminal restored; the guest is not asked"),
        new("kill", "", "the guest dies at once, as if it had crashed"),
    ];

    /// <summary>A line for each command.</summary>
    public static string AllHelp
    {
        get
        {
            StringBuilder text = new();
            foreach (ControlCommand command in All)
                text.Append(command.Written.PadRight(Column)).Append(command.Written.Length >= Column ? " " : string.Empty).Append(command.Help).Append('\n');
            return text.ToString();
        }
    }

    /// <summary>The command with its words.</summary>
    public string Written => Words.Length == 0 ? Name : $"{Name} {Words}";
}
