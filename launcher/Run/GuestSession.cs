// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices;
using Lguest.Devices.Backends;
using Lguest.Inspect;
using Lguest.Inspect.Symbols;
using Lguest.Inspect.Target;
using Lguest.Launcher.Common;
using Lguest.Launcher.Initrd;
using Lguest.Launcher.Kernel;
using Lguest.Launcher.Memory;
using Lguest.Launcher.Options;
using Lguest.Launcher.Run.Console;
using Lguest.Launcher.Sandbox;

namespace Lguest.Launcher.Run;

/// <summary>
/// A guest from the first look at its kernel to its exit status. What belongs to the host (disk images and their locks, the
/// terminal, what was typed) is opened once; what belongs to the guest (memory, devices, engine) is made anew each time that
/// the guest restarts.
/// </summary>
public sealed class GuestSession : IDisposable
{
    private const int StandardError = 2;

    private readonly LaunchOptions _options;
    private readonly Action<string> _say;
    private readonly Complaints _complaints;
    private readonly byte[] _commandLine;
    private readonly KernelImage _kernel;
    private readonly byte[] _initrd;
    private readonly GuestLayout _layout;
    private readonly GuestPlaces _places;
    private readonly GuestDevices _devices;
    private readonly OutputFiles _outputs;
    private readonly GuestNetworks _networks;
    private readonly ConsoleEndpoint _endpoint;
    private readonly ConsolePort _console;
    private readonly ReportedStatus? _reported;
    private readonly Terminal? _terminal;
    private readonly DebugHub _debug;
    private readonly Lock _endLock = new();
    private bool _ended;
    private bool _lineLeft;

    /// <summary>Prepares everything that can fail because of what the user gave. Nothing has been changed by then.</summary>
    /// <param name="options">The command line.</param>
    /// <param name="say">Where the launcher's own sentences go.</param>
    /// <param name="start">When the launcher started, as of <see cref="System.Diagnostics.Stopwatch.GetTimestamp"/>.</param>
    /// <exception cref="LaunchException">The guest cannot be started.</exception>
    public GuestSession(LaunchOptions options, Action<string> say, long start)
    {
        _options = options;
        _say = say;
        _complaints = new Complaints(options.Verbose ? say : null);
        _kernel = KernelLoader.Load(options.Kernel, options.Banks.Lowest.Length);
        int devicePages = GuestDevices.CountPages(options, _kernel);
        _commandLine = BootInformation.EncodeCommandLine(options.GuestCommandLine, _kernel.CommandLineBytes);
        using (InitialRamDisk initrd = InitialRamDisk.Open(options.Initrd))
        {
            // Planned first: an initrd that does not fit is not read at all.
            _layout = GuestLayout.Plan(options.Banks, _kernel, initrd.Length, devicePages);
            _places = new GuestPlaces(_kernel.Path, _layout.HasDescriptors ? (uint)_layout.DescriptorPage : null, MemoryParts.Of(_layout));
            _initrd = initrd.Read();
        }

        try
        {
            _devices = GuestDevices.Open(options.Devices);
            _outputs = OutputFiles.Open(options);
            _networks = GuestNetworks.Open(options.Nets, _outputs, _kernel.Series, options.GuestId);
        }
        catch (DeviceException failure)
        {
            _devices?.Dispose();
            _outputs?.Dispose();
            throw new LaunchException(failure.Message);
        }

        foreach (string warning in (IEnumerable<string>)[.. options.Warnings, .. MemoryNotes.Of(_layout, options.GuestCommandLine), .. NameNotes.Of(_kernel, options.GuestCommandLine)])
            say(warning);
        try
        {
            _endpoint = ConsoleEndpoint.Open(options.Console, _outputs.Console, say);
            _console = new ConsolePort(_endpoint.InputDescriptor, _endpoint.OutputDescriptor, TimeProvider.System);
            _terminal = Terminal.On(_endpoint.InputDescriptor);
            if (options.GuestReportsStatus)
            {
                _reported = new ReportedStatus();
                _console.Listener = _reported.Hear;
            }

            SymbolTable? symbols = options.Debug.Symbols is { } path ? SystemMapFile.Read(path) : null;
            _debug = new DebugHub(options.Debug, _outputs.ToInspect(_kernel.Path, symbols), say, start);
        }
        catch
        {
            _devices.Dispose();
            _networks.Dispose();
            _outputs.Dispose();
            _endpoint?.Dispose();
            throw;
        }
    }

    /// <summary>For tests of the sandbox: what a guest does that got out of the engine. Called in the sealed process, on the guest's thread.</summary>
    internal Action? Escaped { get; init; }

    /// <summary>Runs the guest, again each time that it restarts.</summary>
    /// <returns>The exit status.</returns>
    /// <exception cref="LaunchException">The host cannot run it.</exception>
    public int Run()
    {
        try
        {
            int status = RunToTheEnd();
            _debug.Exiting(status);
            return status;
        }
        finally
        {
            LeaveLine();
            TellStatistics();
        }
    }

    /// <summary>Restores the terminal and saves the disks. Any number of times, from any thread; the first one counts.</summary>
    public void Dispose()
    {
        _terminal?.Restore();
        lock (_endLock)
        {
            if (_ended)
                return;
            _ended = true;
            _devices.Save(_say);
            _devices.Dispose();
            _networks.Dispose();
            _debug.Dispose();
            _console.Dispose();
            _endpoint.Dispose();

            // On every exit the statistics come last; whoever prints them later finds them printed.
            TellStatistics(mayWait: false);
            _outputs.Dispose();
        }
    }

    // [L:240] Every way to end
    // A guest powers off, dies, restarts; a user types ^C three times or sends a signal; the time is up; nobody reads the output
    // any more. Each has its exit status. Whatever it is, the terminal is the user's again (`LeaveLine`), the disks are saved
    // (`Dispose`), and only then is the last sentence printed.
    private int RunToTheEnd()
    {
        using StopSignals signals = new(EndNow, ContinueTerminal);
        using Timer? limit = _options.Timeout is { } time
            ? new Timer(_ => signals.Ask(ExitStatus.TimedOut), null, time, Timeout.InfiniteTimeSpan)
            : null;
        if (_outputs.Console?.Begin() is { } error and not 0)
            throw new LaunchException($"the console's file '{_outputs.Console.Path}' cannot be written: {HostMessage.Of(error)}");
        _terminal?.MakeRaw();
        GuestLife life = NewLife();
        while (true)
        {
            RunOutcome outcome = life.Run(signals, SealOnce);
            switch (outcome.End)
            {
                case RunEnd.Restarted when !_options.NoReboot && signals.Status == 0:
                    if (_options.Verbose)
                        _say("the guest restarts");
                    _devices.Save(_say);
                    continue;
                case RunEnd.Restarted when signals.Status == 0:
                    return GuestStatus(outcome);
                case RunEnd.PoweredOff:
                    if (_options.Verbose)
                        End("the guest powered itself off");
                    return GuestStatus(outcome);
                case RunEnd.Died when _reported != null && ReportedStatus.OfReason(outcome.Reason) is { } status:
                    return status;
                case RunEnd.ConsoleAbort:
                    signals.IgnoreInterrupts();
                    TellTerminal("ended by ^C, three times");
                    return ExitStatus.ConsoleAbort;
                case RunEnd.Stopped when signals.Status == 0:
                    return GuestStatus(outcome);
                case RunEnd.Restarted:
                case RunEnd.Stopped:
                    if (signals.Status == ExitStatus.TimedOut && _options.Timeout is { } limitOfTime)
                        End($"the guest was ended: it has run for the {limitOfTime.TotalSeconds:0.###} s of --timeout");
                    else if (StopSignals.NameOf(signals.Status) is { } signal)
                        TellTerminal($"ended by {signal}");
                    return signals.Status;
                case RunEnd.OutputFailed when _console.OutputError == HostErrno.EPIPE:
                    return ExitStatus.BrokenPipe;
                case RunEnd.OutputFailed:
                    End($"the guest's console cannot be written to standard output: {HostMessage.Of(_console.OutputError)}");
                    return ExitStatus.Failure;
                default:
                    LeaveLine();
                    if (_debug.DeathReport is { } report)
                        HostOutput.Write(StandardError, "lguest: the guest died; what it left behind:\n" + report);
                    End(outcome.Reason);
                    return ExitStatus.Failure;
            }
        }
    }

    /// <summary>The exit status of a guest that ended well: what it reported, where it is to report something.</summary>
    private int GuestStatus(RunOutcome outcome)
    {
        if (_reported == null)
            return ExitStatus.Success;
        if (_reported.Status is { } status)
            return status;
        End($"the guest ended ({(outcome.End == RunEnd.PoweredOff ? "powered off" : "it was not running any more")}) without the line '{ReportedStatus.LinePrefix}N' that --exit-status asks for");
        return ExitStatus.Failure;
    }

    private GuestLife NewLife() => new()
    {
        Options = _options,
        Kernel = _kernel,
        Layout = _layout,
        Places = _places,
        CommandLine = _commandLine,
        Initrd = _initrd,
        Devices = _devices,
        Networks = _networks,
        Console = _console,
        Debug = _debug,
        Complaints = _complaints,
        Say = _say,
    };

    // [L:215+9] Sealed
    // All that the launcher needs is open, and the guest has not run yet: the moment to give up everything else. Should a guest
    // ever get out of the engine, it finds a process that can neither open a file nor start a program ([M:170]).
    /// <summary>All is open, and no instruction of the guest has run: from here on the launcher has only what it needs.</summary>
    private void SealOnce()
    {
        if (_debug.Sandbox != null)
            return;
        IEnumerable<string?> leftovers = [_options.Debug.Control?.Path, _options.Debug.Gdb?.Path, .. _outputs.Leftovers];
        SealReport report = Sealing.Apply(_options, _devices, _networks, _endpoint.TerminalName, leftovers.OfType<string>());
        _debug.Seal(report.ToString(), report.InForce.Count > 0);
        if (_options.Verbose)
            _say("sandbox: " + report.ToLongString());
        Escaped?.Invoke();
    }

    /// <summary>Prints what was counted, if <c>--stats</c> wants that; once, however often it is called. The terminal is the user's own again.</summary>
    /// <param name="mayWait">False on an exit that must not hang: on a terminal that was stopped nothing is printed.</param>
    private void TellStatistics(bool mayWait = true)
    {
        if (_debug.TakeStatistics() is { } text && (mayWait || HostOutput.CanWrite(StandardError)))
            HostOutput.Write(StandardError, text);
    }

    /// <summary>Says how it ended, on a terminal that is the user's own again.</summary>
    private void End(string sentence)
    {
        LeaveLine();
        TellStatistics();
        _say(sentence);
    }

    /// <summary>Says how it ended to somebody at a terminal, who sees the guest stop in the middle of a line; a script has the status.</summary>
    private void TellTerminal(string sentence)
    {
        if (_terminal != null && LeaveLine())
            End(sentence);
    }

    /// <summary>Gives the terminal back, and begins a new line on it if the guest has not: what comes next is not the guest's.</summary>
    /// <returns>Whether the terminal can be written; not when somebody has stopped it.</returns>
    private bool LeaveLine()
    {
        _terminal?.Restore();
        if (_terminal == null)
            return true;
        if (!_console.CanWrite)
            return false;
        if (_console.IsMidLine && !_lineLeft)
            _ = HostOutput.Write(_console.OutputDescriptor, "\n");
        _lineLeft = true;
        return true;
    }

    /// <summary>Ends the process when the normal way is blocked.</summary>
    private void EndNow(int status)
    {
        Dispose();
        Environment.Exit(status);
    }

    private void ContinueTerminal()
    {
        if (_terminal is { IsRaw: true })
            _terminal.MakeRaw();
    }
}
