// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Lguest.Devices.Bus;
using Lguest.GuestAbi.Debugging;
using Lguest.Inspect.Monitor;
using Lguest.Inspect.Statistics;
using Lguest.Inspect.Target;
using static Tmds.Linux.LibC;

namespace Lguest.Inspect.Control;

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
                    text = target.Ask<string>(WantsJson(words) ? StatusJson : Status);
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
                    bool json = WantsJson(words);
                    text = target.Ask(_ => json ? StatisticsJson.Of(statistics()) : StatisticsTable.Of(statistics()));
                    return true;
                case "dirty":
                    bool forProgram = WantsJson(words);
                    text = target.Ask(running => DirtyPages.Take(running, forProgram));
                    return true;
                case "trace":
                    text = trace(words[1..]);
                    return true;
                case "monitor":
                    text = monitor.Run(string.Join(' ', words[1..]), out bool done);
                    return done;
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
            _ = kill(Environment.ProcessId, SIGTERM);
    }

    /// <summary>Whether the answer is for a program.</summary>
    /// <exception cref="MonitorException">Another word came after the command.</exception>
    private static bool WantsJson(string[] words) => words switch
    {
        [_] => false,
        [_, "--json"] => true,
        _ => throw new MonitorException($"{words[0]} is followed by nothing or --json, not by '{words[1]}'"),
    };

    private string StatusJson(DebugTarget.Running running)
    {
        using MemoryStream bytes = new();
        using (Utf8JsonWriter json = new(bytes, new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            json.WriteString("state", State(running));
            json.WriteBoolean("console_is_read", !running.Console.IsStalled);
            json.WriteBoolean("gdb", target.HasDebugger);
            json.WriteString("kernel", running.Places.Kernel);
            json.WriteString("engine", running.Engine);
            json.WriteNumber("up", Math.Round(Stopwatch.GetElapsedTime(start).TotalSeconds, 3));
            json.WriteNumber("process", Environment.ProcessId);
            json.WriteString("sandbox", sandbox());
            json.WriteStartArray("devices");
            foreach (PlacedDevice device in running.Bus.Devices)
                json.WriteStringValue(device.Model.Description);
            json.WriteEndArray();
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(bytes.ToArray()) + "\n";
    }

    private static string State(DebugTarget.Running running) =>
        running.Guest.IsPaused ? "paused" : running.Guest.IsHalted ? "asleep" : "running";

    private string Status(DebugTarget.Running running)
    {
        string state = State(running);
        if (running.Console.IsStalled)
            state += ", but nobody reads its console";
        if (target.HasDebugger)
            state += ", gdb is attached";
        return $"{state}; kernel {running.Places.Kernel}, engine {running.EngineWords}, up {Stopwatch.GetElapsedTime(start).TotalSeconds:f1} s\nsandbox: {sandbox()}\ndevices: {string.Join("; ", running.Bus.Devices.Select(static device => device.Model.Description))}\n";
    }
}
