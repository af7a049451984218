// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using System.Text;
using Lguest.Engine.Debugging;
using Lguest.GuestAbi;
using Lguest.Launcher.Debugging.Monitor;
using Lguest.Launcher.Debugging.Statistics;
using Mono.Unix.Native;

namespace Lguest.Launcher.Debugging.Control;

/// <summary>What <c>lguest ctl</c> can have done, but for the console.</summary>
/// <param name="target">The guest.</param>
/// <param name="monitor">For <c>stats</c> and the like.</param>
/// <param name="trace">What <c>trace</c> does with its words.</param>
/// <param name="log">The console's log.</param>
/// <param name="statistics">What was counted; for the guest's owner to ask.</param>
/// <param name="sandbox">What keeps the launcher in.</param>
/// <param name="start">When the launcher started, as of <see cref="Stopwatch.GetTimestamp"/>.</param>
public sealed class ControlCommands(
    DebugTarget target, MonitorCommands monitor, Func<string[], string> trace, ConsoleLog log, Func<RunStatistics> statistics, Func<string> sandbox, long start)
{
    /// <summary>Carries out a line.</summary>
    /// <param name="line">Command and words.</param>
    /// <param name="text">What to tell the user.</param>
    /// <returns>Whether it was done.</returns>
    public bool Run(string line, out string text)
    {
        string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        try
        {
            switch (words.Length == 0 ? "help" : words[0])
            {
                case "help":
                    text = ControlCommand.AllHelp;
                    return true;
                case "status":
                    text = target.Ask(Status);
                    return true;
                case "pause":
                    target.Do(running => running.Guest.Pause());
                    text = "paused\n";
                    return true;
                case "resume" when target.HasDebugger:
                    text = "gdb has the guest: continue or detach there\n";
                    return false;
                case "resume":
                    target.Do(running => running.Guest.Resume());
                    text = "running\n";
                    return true;
                case "stats":
                    text = target.Ask(_ => StatisticsTable.Of(statistics()));
                    return true;
                case "trace":
                    text = trace(words[1..]);
                    return true;
                case "monitor":
                    text = monitor.Run(string.Join(' ', words[1..]));
                    return true;
                case "log":
                    long from = 0;
                    text = Encoding.Latin1.GetString(log.Read(ref from, out _));
                    return true;
                case "poweroff":
                    text = "the launcher ends, as by SIGTERM\n";
                    return true;
                case "kill":
                    target.Do(running =>
                    {
                        running.Guest.Debugger = null;
                        running.Guest.Kill("killed by lguest ctl");
                        running.Guest.Resume();
                    });
                    text = "killed\n";
                    return true;
                default:
                    text = $"there is no command '{words[0]}'; there are:\n{ControlCommand.AllHelp}";
                    return false;
            }
        }
        catch (GuestGoneException)
        {
            text = "there is no guest just now\n";
            return false;
        }
        catch (MonitorException wrong)
        {
            text = wrong.Message + "\n";
            return false;
        }
    }

    /// <summary>What is done only when the answer is on its way.</summary>
    public void AfterAnswer(string line)
    {
        if (line.Trim() == "poweroff")
            _ = Syscall.kill(Environment.ProcessId, Signum.SIGTERM);
    }

    private string Status(DebugTarget.Running running)
    {
        string state = running.Guest.IsPaused ? "paused" : running.Guest.IsHalted ? "asleep" : "running";
        if (running.Console.IsStalled)
            state += ", but nobody reads its console";
        if (target.HasDebugger)
            state += ", gdb is attached";
        return $"{state}; kernel {running.Layout.Kernel.Path}, engine {running.Engine}, up {Stopwatch.GetElapsedTime(start).TotalSeconds:f1} s\nsandbox: {sandbox()}\n";
    }
}
