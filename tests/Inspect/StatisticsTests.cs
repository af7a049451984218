// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Lguest.Engine;
using Lguest.Engine.Debugging;
using Lguest.Engine.Hypervisor;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Debugging;
using Lguest.Inspect.Common;
using Lguest.Inspect.Statistics;
using Lguest.Tests.Contract;
using Lguest.Tests.Support;
using Lguest.Tests.WholeSystem;
using Mono.Unix.Native;
using NSubstitute;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Tests.Inspect;

/// <summary><c>--stats</c>: the counts are right, the times add up, and they are told however the guest ends.</summary>
public sealed class StatisticsTests : IDisposable
{
    private const int SystemCalls = 20;
    private readonly TemporaryDirectory _directory = new();

    private string StatisticsFile => Path.Combine(_directory.Path, "stats");

    public static TheoryData<string> Engines() => [.. Needs.Engines];

    /// <summary>Without the one whose time is spent on comparing.</summary>
    public static TheoryData<string> EnginesForUse() => [.. Needs.Engines.Where(static engine => engine != "check")];

    public void Dispose() => _directory.Dispose();

    /// <summary>A guest of which every hypercall, interrupt, trap and system call is known.</summary>
    [Theory]
    [MemberData(nameof(Engines))]
    public void EverythingIsCountedOnce(string engine)
    {
        GuestStatistics counted = RunKnownGuest(engine, null);
        Assert.Equal(1, counted.Hypercalls[(int)HypercallKind.LguestInit]);
        Assert.Equal(1, counted.Hypercalls[(int)HypercallKind.LoadGdt]);
        Assert.Equal(1, counted.Hypercalls[(int)HypercallKind.SetStack]);
        Assert.Equal(3, counted.Hypercalls[(int)HypercallKind.LoadIdtEntry]);
        Assert.Equal(7, counted.Hypercalls[(int)HypercallKind.SetTaskSwitched]);
        Assert.Equal(2, counted.Hypercalls[(int)HypercallKind.SendDma]);
        Assert.Equal(1, counted.Hypercalls[(int)HypercallKind.Crash]);
        Assert.Equal(5, counted.RingHypercalls[(int)HypercallKind.FlushTlb]);
        Assert.Equal(1 + 1 + 1 + 3 + 7 + 2 + 1 + 5, counted.HypercallTotal);
        Assert.Equal(2, counted.Interrupts[1]);
        Assert.Equal(2, counted.InterruptTotal);
        Assert.Equal(3, counted.Traps[6]);
        Assert.Equal(SystemCalls + 1, counted.Traps[Vectors.SystemCall]);
        Assert.Equal(3 + SystemCalls + 1, counted.TrapTotal);
    }

    /// <summary>Who wants to see system calls sees them all, though an engine could deliver them by itself.</summary>
    [Theory]
    [MemberData(nameof(Engines))]
    public void AnObserverSeesEverySystemCall(string engine)
    {
        IGuestObserver observer = Substitute.For<IGuestObserver>();
        observer.Wants.Returns(GuestEvents.Traps | GuestEvents.SystemCalls);
        GuestStatistics counted = RunKnownGuest(engine, observer);
        observer.Received(SystemCalls + 1).Trap(Vectors.SystemCall, 0, 0);
        observer.Received(3).Trap(6, 0, 0);
        Assert.Equal(SystemCalls + 1, counted.Traps[Vectors.SystemCall]);
    }

    /// <summary>All phases together are the time that has passed, and what the guest sleeps is idle.</summary>
    [TheoryNeeding(Need.Launcher, Need.Guests)]
    [MemberData(nameof(Engines))]
    public void TheTimesAddUp(string engine)
    {
        long start = Stopwatch.GetTimestamp();
        using (WaitingLauncher launcher = new($"--stats={StatisticsFile},format=json", "--engine=" + engine, "--control=unix:CONTROL", "16m", Needs.Guest("demo"), "run=tour"))
        {
            launcher.WaitUntil(() => launcher.Output.Contains("Type help", StringComparison.Ordinal), "the demo's greeting");

            // Long enough to be looked at: all of a guest's life may take less.
            launcher.WaitUntil(() => SecondsNow(launcher, "idle") > 0.01, "sleep");
            launcher.Type("off\n");
            Assert.Equal(0, launcher.WaitForExit());
        }

        double passed = Stopwatch.GetElapsedTime(start).TotalSeconds;
        JsonElement statistics = Read();
        JsonElement seconds = statistics.GetProperty("seconds");
        double Seconds(string name) => seconds.GetProperty(name).GetDouble();
        double wall = Seconds("wall");
        double sum = Enum.GetValues<RunPhase>().Sum(phase => Seconds(RunTimes.NameOf(phase)));
        Assert.Equal(wall, sum, 0.001);
        Assert.InRange(wall, 0.01, passed);
        foreach (string phase in (ReadOnlySpan<string>)["start-up", "guest", "engine", "devices", "idle"])
            Assert.True(Seconds(phase) > 0, phase);
        Assert.Equal(0, Seconds("stopped"));
        Assert.True(statistics.GetProperty("sleeps").GetInt64() > 0);

        // Together: how they are shared the host's kernel knows by its ticks, and a native launcher may end before the first one.
        Assert.True(Seconds("user") + Seconds("system") > 0);
        Assert.Equal(engine, statistics.GetProperty("engine").GetString());
    }

    /// <summary>A guest that sleeps has idle time, one that computes has its own.</summary>
    [TheoryNeeding(Need.Launcher, Need.Guests)]
    [MemberData(nameof(EnginesForUse))]
    public void TimeGoesWhereItIsSpent(string engine)
    {
        long start = Stopwatch.GetTimestamp();
        using (WaitingLauncher waiting = new($"--stats={StatisticsFile},format=json", "--control=unix:CONTROL", "--engine=" + engine, "16m", Needs.Guest("demo")))
        {
            waiting.WaitUntil(() => waiting.Output.Contains("Type help", StringComparison.Ordinal), "the demo's greeting");
            waiting.WaitUntil(() => SecondsNow(waiting, "idle") > 0.2, "idleness");
            waiting.Type("off\n");
            Assert.Equal(0, waiting.WaitForExit());
        }

        Assert.InRange(Read().GetProperty("seconds").GetProperty("idle").GetDouble(), 0.2, Stopwatch.GetElapsedTime(start).TotalSeconds);

        Tries.Below(0.2, "part of a computing guest's time that is not its own", () =>
        {
            Assert.Equal(0, LauncherProcess.Run($"--stats={StatisticsFile},format=json", "--engine=" + engine, "64m", Needs.Guest("bench/guest"), "only=integer", "samples=200").Status);
            JsonElement seconds = Read().GetProperty("seconds");
            double others = seconds.GetProperty("engine").GetDouble() + seconds.GetProperty("devices").GetDouble();
            return others / (others + seconds.GetProperty("guest").GetDouble());
        });
    }

    /// <summary>What a debugger holds back is neither the guest's time nor idle.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void AStoppedGuestIsNotIdle()
    {
        using WaitingLauncher launcher = new($"--stats={StatisticsFile},format=json", "--control=unix:CONTROL", "16m", Needs.Guest("demo"));
        launcher.WaitUntil(() => launcher.Output.Contains("Type help", StringComparison.Ordinal), "the demo's greeting");
        long start = Stopwatch.GetTimestamp();
        Assert.Equal(0, LauncherProcess.Run("ctl", launcher.ControlSocket, "pause").Status);
        long stopped = Stopwatch.GetTimestamp();
        Thread.Sleep(300);
        double least = Stopwatch.GetElapsedTime(stopped).TotalSeconds - 0.001;
        Assert.Equal(0, LauncherProcess.Run("ctl", launcher.ControlSocket, "resume").Status);
        double most = Stopwatch.GetElapsedTime(start).TotalSeconds;

        // While it runs, the same table.
        string shown = LauncherProcess.Run("ctl", launcher.ControlSocket, "stats").Output;
        Assert.InRange(SecondsIn(shown, "stopped"), least, most);
        Assert.Matches(new Regex("^  LGUEST_INIT +1 +0$", RegexOptions.Multiline), shown);
        launcher.Type("off\n");
        Assert.Equal(0, launcher.WaitForExit());
        Assert.InRange(Read().GetProperty("seconds").GetProperty("stopped").GetDouble(), least, most);
    }

    /// <summary>A restarted guest goes on counting.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void RestartedGuestsAddUp()
    {
        using WaitingLauncher launcher = new($"--stats={StatisticsFile},format=json", "16m", Needs.Guest("demo"));
        string[] said = ["reboot\n", "reboot\n", "off\n"];
        for (int i = 0; i < said.Length; i++)
        {
            launcher.WaitUntil(() => Regex.Count(launcher.Output, "Type help") == i + 1, "the demo's greeting");
            launcher.Type(said[i]);
        }

        Assert.Equal(0, launcher.WaitForExit());
        JsonElement statistics = Read();
        Assert.Equal(3, statistics.GetProperty("guests").GetInt32());
        Assert.Equal(3, statistics.GetProperty("hypercalls").GetProperty("LGUEST_INIT").GetInt64());
        Assert.Equal(1, statistics.GetProperty("hypercalls").GetProperty("CRASH").GetInt64());
        JsonElement console = Assert.Single(statistics.GetProperty("devices").EnumerateArray());
        Assert.Equal(launcher.Output.Length, console.GetProperty("bytes_out").GetInt64());
        Assert.Equal(said.Sum(static line => line.Length), console.GetProperty("bytes_in").GetInt64());
    }

    [FactNeeding(Need.Launcher, Need.Guests)]
    public void ADisksRequestsAreCounted()
    {
        string disk = _directory.File("disk", new byte[1 << 20]);
        string said = string.Concat(Enumerable.Range(0, 5).Select(static i => $"write {i} text\n")) + "read 1\nread 2\noff\n";
        ProcessResult result = LauncherProcess.Run(said, [$"--stats={StatisticsFile},format=json", "--block=" + disk, "16m", Needs.Guest("demo")]);
        Assert.True(result.Status == 0, result.Error);
        JsonElement block = Read().GetProperty("devices").EnumerateArray().First();
        Assert.StartsWith("block ", block.GetProperty("device").GetString());

        // The demo's write reads the sector first.
        Assert.Equal(5 * 512, block.GetProperty("bytes_out").GetInt64());
        Assert.True(block.GetProperty("bytes_in").GetInt64() >= 2 * 512, block.ToString());
        Assert.Equal((5 * 512 + block.GetProperty("bytes_in").GetInt64()) / 512, block.GetProperty("requests").GetInt64());
        Assert.Equal(0, block.GetProperty("errors").GetInt64());
    }

    [FactNeeding(Need.Launcher, Need.Guests)]
    public void APowerOffTellsATable()
    {
        ProcessResult result = LauncherProcess.Run("--stats", "16m", Needs.Guest("conformance/hello"));
        Assert.Equal(0, result.Status);
        Assert.StartsWith($"lguest: statistics of {Needs.Guest("conformance/hello")}, engine ", result.Error, StringComparison.Ordinal);
        foreach (string row in (ReadOnlySpan<string>)["start-up", "guest", "engine", "devices", "idle", "wall", "processor", "LGUEST_INIT", "console"])
            Assert.Matches(new Regex($"^  {row} +[0-9]", RegexOptions.Multiline), result.Error);

        // Numbers stand one below the other.
        Assert.Single(result.Error.Split('\n').Where(static line => Regex.IsMatch(line, "^  [A-Z_]+ ")).Select(static line => Regex.Match(line, "^  \\S+ +[0-9,]+").Length).Distinct());
    }

    /// <summary>The reason stays the last line.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void ADeathTellsThemBeforeItsReason()
    {
        ProcessResult result = LauncherProcess.Run("--stats", "16m", Needs.Guest("conformance/kill"), "kill=crash");
        Assert.Equal(1, result.Status);
        Assert.Single(Regex.Matches(result.Error, "^lguest: statistics of ", RegexOptions.Multiline));
        Assert.EndsWith("lguest: CRASH: this is the reason\n", result.Error, StringComparison.Ordinal);
    }

    /// <summary>Whoever ends the launcher: the signals, the control socket.</summary>
    [TheoryNeeding(Need.Launcher, Need.Guests)]
    [InlineData("SIGINT", 130)]
    [InlineData("SIGTERM", 143)]
    [InlineData("SIGHUP", 129)]
    [InlineData("poweroff", 143)]
    [InlineData("kill", 1)]
    public void EveryWayOutTellsThem(string way, int status)
    {
        using WaitingLauncher launcher = new($"--stats={StatisticsFile},format=json", "--control=unix:CONTROL", "16m", Needs.Guest("demo"));
        launcher.WaitUntil(() => launcher.Output.Contains("Type help", StringComparison.Ordinal), "the demo's greeting");
        if (Enum.TryParse(way, out Signum signal))
            Syscall.kill(launcher.Process.Id, signal);
        else
            Assert.Equal(0, LauncherProcess.Run("ctl", launcher.ControlSocket, way).Status);
        Assert.Equal(status, launcher.WaitForExit());
        Assert.Equal(1, Read().GetProperty("hypercalls").GetProperty("LGUEST_INIT").GetInt64());
    }

    [FactNeeding(Need.Launcher, Need.Guests)]
    public void ThreeControlCTellThemOnTheTerminalAsItWas()
    {
        using PseudoTerminal terminal = new();
        terminal.Start("--stats", "16m", Needs.Guest("demo"));
        terminal.WaitFor("demo> ");
        terminal.TypeControlCUntilItEnds();
        Assert.Equal(2, terminal.WaitForExit());
        Assert.Equal(terminal.Before, terminal.Settings);
        Assert.StartsWith("lguest: statistics of ", terminal.Error, StringComparison.Ordinal);
    }

    /// <summary>The guest has more to say than its console's pipe takes, which nobody reads: the first signal ends it all the same.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void AConsoleThatNobodyReadsKeepsNothingBack()
    {
        string control = Path.Combine(_directory.Path, "control");
        using Process process = LauncherProcess.Start($"--stats={StatisticsFile},format=json", "--control=unix:" + control, "16m", Needs.Guest("demo"));
        const int PipeIsFullAfter = 300;
        process.StandardInput.Write(string.Concat(Enumerable.Repeat("help\n", PipeIsFullAfter)));
        process.StandardInput.Flush();

        // A pipe takes 64 KiB, less what is left of its pages: it is full when no more comes.
        const long nearlyFull = 50_000;
        long written = 0;
        for (Stopwatch watch = Stopwatch.StartNew(); ; Thread.Sleep(100))
        {
            Match console = Regex.Match(LauncherProcess.Run("ctl", control, "stats").Output, "^  console +[0-9,]+ +([0-9,]+)", RegexOptions.Multiline);
            long now = console.Success ? long.Parse(console.Groups[1].Value, NumberStyles.AllowThousands, CultureInfo.InvariantCulture) : 0;
            if (now > nearlyFull && now == written)
                break;
            written = now;
            Assert.True(watch.Elapsed < LauncherProcess.Patience, $"only {now} bytes were written");
        }

        Assert.False(process.HasExited, "the pipe was not full");
        Syscall.kill(process.Id, Signum.SIGINT);
        Assert.True(process.WaitForExit(LauncherProcess.Patience));
        Assert.Equal(130, process.ExitCode);
        Assert.Equal(1, Read().GetProperty("hypercalls").GetProperty("LGUEST_INIT").GetInt64());
    }

    [FactNeeding(Need.Launcher, Need.Guests)]
    public void AFileThatCannotBeWrittenIsRefusedAtTheStart()
    {
        ProcessResult result = LauncherProcess.Run("--stats=/nonexistent/stats", "16m", Needs.Guest("conformance/hello"));
        Assert.Equal(1, result.Status);
        Assert.Equal("", result.Output);
        Assert.StartsWith("lguest: cannot write the statistics to '/nonexistent/stats'", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", null, false)]
    [InlineData("format=json", null, true)]
    [InlineData("/tmp/x", "/tmp/x", false)]
    [InlineData("/tmp/x,format=json", "/tmp/x", true)]
    [InlineData("/tmp/a,b,format=text", "/tmp/a,b", false)]
    [InlineData("/tmp/format=json", "/tmp/format=json", false)]
    public void TheOptionIsUnderstood(string text, string? file, bool json) =>
        Assert.Equal(new StatisticsRequest(file, json), StatisticsRequest.Parse(text));

    [Theory]
    [InlineData("format=xml")]
    [InlineData("/tmp/x,format=")]
    public void NonsenseIsRefused(string text) =>
        Assert.Contains("--stats: there is no format=", Assert.Throws<InspectException>(() => StatisticsRequest.Parse(text)).Message, StringComparison.Ordinal);

    private static GuestStatistics RunKnownGuest(string engine, IGuestObserver? observer)
    {
        using TinyGuest guest = new(
            Enum.Parse<EngineKind>(engine, ignoreCase: true),
            static g =>
            {
                g.BootWithRings();
                g.Gate(6, "skip");
                g.Gate(Vectors.FirstIrq + 1, "irq");
                g.Gate(Vectors.SystemCall, "call", interrupt: false, dpl: 3);
                for (int i = 0; i < 7; i++)
                    g.Call(HypercallKind.SetTaskSwitched);
                for (int i = 0; i < 3; i++)
                    g.Asm.ud2();
                g.Interrupts(on: true);
                g.Report(1);
                g.Report(2);
                g.ToRing3("user");
                g.Mark("user");
                g.Asm.mov(ecx, SystemCalls);
                g.Asm.xor(eax, eax);
                g.Mark("again");
                g.Asm.@int(Vectors.SystemCall);
                g.Asm.dec(ecx);
                g.Asm.jnz(g.Here("again"));
                g.Asm.inc(eax);
                g.Asm.@int(Vectors.SystemCall);
                g.Mark("skip");
                g.Asm.add(__dword_ptr[esp], 2);
                g.Asm.iretd();
                g.Mark("irq");
                g.Interrupts(on: true);
                g.Asm.iretd();
                g.Mark("call");
                g.Asm.test(eax, eax);
                g.Asm.jnz(g.Here("off"));
                g.Asm.iretd();
                g.Mark("off");
                g.Call(HypercallKind.Crash, GuestPlan.Text);
            },
            prepare: static memory =>
            {
                for (uint slot = 0; slot < 5; slot++)
                {
                    memory.WriteUInt32(GuestPlan.Data + 84 + (slot * 16), Generation.Linux2623.Calls.NumberOf(HypercallKind.FlushTlb)!.Value);
                    memory.Write(GuestPlan.Data + 20 + slot, 1)[0] = 0;
                }
            });
        Guest inner = guest.Guest;
        inner.Observer = observer;
        guest.Next();
        guest.Channel.RaiseIrq(1);
        guest.Next();
        guest.Channel.RaiseIrq(1);
        Assert.StartsWith("CRASH: ", guest.Death(), StringComparison.Ordinal);
        return inner.Statistics;
    }

    /// <summary>A phase's time in the table that a running launcher shows.</summary>
    private static double SecondsNow(WaitingLauncher launcher, string phase) => SecondsIn(LauncherProcess.Run("ctl", launcher.ControlSocket, "stats").Output, phase);

    private static double SecondsIn(string table, string phase)
    {
        Match row = Regex.Match(table, $"^  {phase} +([0-9.,]+)", RegexOptions.Multiline);
        Assert.True(row.Success, table);
        return double.Parse(row.Groups[1].Value, CultureInfo.InvariantCulture);
    }

    private JsonElement Read() => JsonDocument.Parse(File.ReadAllText(StatisticsFile)).RootElement;
}
