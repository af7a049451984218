// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using System.Text;
using Lguest.Devices;
using Lguest.Devices.Models;
using Lguest.GuestAbi;
using Lguest.Inspect.Common;
using Lguest.Inspect.Control;
using Lguest.Inspect.Gdb;
using Lguest.Inspect.Monitor;
using Lguest.Inspect.Reports;
using Lguest.Inspect.Statistics;
using Lguest.Inspect.Symbols;
using Lguest.Inspect.Target;
using Lguest.Inspect.Trace;
using Microsoft.Win32.SafeHandles;

namespace Lguest.Inspect;

/// <summary>
/// All that looks into a guest, as far as the command line asks for it. It outlives the guest: after a restart gdb, the trace
/// and the control socket go on with the next one.
/// </summary>
public sealed class DebugHub : IDisposable
{
    private readonly DebugOptions _options;
    private readonly InspectionFiles _files;
    private readonly Action<string> _say;
    private readonly long _start;
    private readonly StatisticsKeeper _statistics;
    private readonly ConsoleLog? _log;
    private readonly GdbServer? _gdb;
    private readonly ControlServer? _control;
    private readonly RunRecorder? _recorder;
    private readonly SafeFileHandle? _kernel;
    private Tracer? _tracer;
    private DeviceWatcher? _watcher;
    private bool _first = true;

    /// <summary>Opens what is to be listened at.</summary>
    /// <param name="options">What is wanted.</param>
    /// <param name="files">The files that it wants written, and the names that it is given.</param>
    /// <param name="say">Where the launcher's own sentences go.</param>
    /// <param name="start">When the launcher started, as of <see cref="Stopwatch.GetTimestamp"/>.</param>
    /// <exception cref="InspectException">Something asked for cannot be had.</exception>
    public DebugHub(DebugOptions options, InspectionFiles files, Action<string> say, long start)
    {
        _options = options;
        _files = files;
        _say = say;
        _start = start;
        _statistics = new StatisticsKeeper(options.Statistics, files.Statistics, start, say);

        // The kernel's own symbols are read when somebody wants one, from a file that is opened now: later the launcher may open none.
        if (files.Symbols == null)
            _kernel = ElfSymbols.Open(files.Kernel);
        Target = new DebugTarget(new Lazy<SymbolTable>(() => files.Symbols ?? ElfSymbols.Read(_kernel)));
        try
        {
            if (options.Trace != null)
                _tracer = new Tracer(options.Trace, files.Trace, Target, say, _start);
            if (files.Report != null)
                _recorder = new RunRecorder(files.Report, Target, _start);
            MonitorCommands monitor = new(Target, Trace, () => _statistics.Now(atRest: true));
            if (options.Control != null)
            {
                _log = new ConsoleLog();
                ControlCommands commands = new(Target, monitor, Trace, _log, () => _statistics.Now(atRest: true), () => Sandbox ?? "not yet", _start);
                _control = new ControlServer(options.Control, Target, commands, _log, say);
            }

            if (options.Gdb == null)
                return;
            _gdb = new GdbServer(options.Gdb, Target, monitor, say);
            say(options.GdbWait ? $"waiting for gdb at {options.Gdb}" : $"gdb can attach at {options.Gdb}");
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>What keeps the launcher in, in words; null while it still opens things.</summary>
    public string? Sandbox { get; private set; }

    /// <summary>Whether the launcher opens no more files.</summary>
    private bool IsSealed { get; set; }

    /// <summary>The guest, as debuggers know it.</summary>
    public DebugTarget Target { get; }

    /// <summary>The launcher has opened all that it needs.</summary>
    /// <param name="sandbox">What keeps it in, in words.</param>
    /// <param name="opensNoMore">Whether it can open no more files.</param>
    public void Seal(string sandbox, bool opensNoMore)
    {
        Sandbox = sandbox;
        IsSealed = opensNoMore;
    }

    /// <summary>A guest is about to run. On the thread that owns it.</summary>
    public void Begin(DebugTarget.Running running)
    {
        if (_options.Trace != null || _options.Gdb != null || _options.Control != null || _options.Report != null || _options.Statistics != null)
            WatchDevices(running);
        if (_options.Statistics != null || _options.Gdb != null || _options.Control != null)
            _statistics.Begin(running, _watcher);
        if (_tracer is { Categories: not TraceCategories.None })
            _tracer.Attach(running.Guest);
        Target.Begin(running, pause: _first && _options.GdbWait);
        _recorder?.Begin(running, _watcher!);
        _first = false;
    }

    /// <summary>The guest has run, and how it ended; its memory and registers are still there. On its owner's thread.</summary>
    /// <param name="ending">How, in words.</param>
    /// <param name="died">Whether that was a death: then the guest is looked at once more.</param>
    public void Finished(string ending, bool died)
    {
        if (Target.Current is not { } running)
            return;
        _recorder?.Finish(ending);
        if (!died)
            return;
        DeathReport = Reports.DeathReport.Of(running.Guest, Target.Symbols);
        if (_files.CoreDump is not { } core)
            return;
        string? failure = CoreDump.Write(running.Guest, core);
        DeathReport += failure == null
            ? $"its memory and registers are in {core.Path}\n"
            : $"its memory could not be written to {core.Path}: {failure}\n";
    }

    /// <summary>The guest is not to be looked at any more. On its owner's thread.</summary>
    public void End()
    {
        _statistics.End();
        Target.End();
        _recorder?.End();
        _tracer?.Detach();
    }

    /// <summary>What is known of a guest that died, in lines; null: none did.</summary>
    public string? DeathReport { get; private set; }

    /// <summary>Writes what was counted to its file, if <c>--stats</c> wants that; once, however often it is called.</summary>
    /// <returns>What is to be printed on standard error instead; null: nothing, or it was returned before.</returns>
    public string? TakeStatistics() => _statistics.Take();

    /// <summary>The launcher ends.</summary>
    /// <param name="status">With this exit status.</param>
    public void Exiting(int status)
    {
        Target.Close();
        _gdb?.GuestExited(status);
        if (_recorder == null)
            return;
        HostErrno error = _recorder.Write();
        _say(error == 0 ? $"the report is in {_options.Report}" : $"the report could not be written to {_options.Report}: {HostMessage.Of(error)}");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Target.Close();
        _control?.Dispose();
        _gdb?.Dispose();
        _tracer?.Dispose();
    }

    private void WatchDevices(DebugTarget.Running running)
    {
        DeviceWatcher watcher = new(running.Bus.Devices.Select(static device => device.Model))
        {
            ConsoleOutput = HearConsole,
            BlockDone = (device, request) => _tracer?.Block(device.Description, in request),
            PacketSent = (device, bytes) => _tracer?.Packet(device.Description, bytes),
            InputDelivered = HearInput,
            AccessDone = (device, access) => _tracer?.Access(device.Description, in access),
        };
        _watcher = watcher;
        running.Bus.Observer = watcher;
    }

    private void HearInput(DeviceModel device, uint bytes)
    {
        if (device is NetworkModel)
            _tracer?.PacketReceived(device.Description, bytes);
        else
            _tracer?.ConsoleInput(bytes);
    }

    private void HearConsole(byte[] text)
    {
        _log?.Append(text);
        _tracer?.Console(Encoding.Latin1.GetString(text));
        _recorder?.Console(text);
    }

    /// <summary><c>trace on [LIST]</c> and <c>trace off</c>, from gdb or <c>lguest ctl</c>.</summary>
    private string Trace(string[] words)
    {
        try
        {
            switch (words)
            {
                case ["off"]:
                    return Target.Ask(_ => TraceOff());
                case ["on"]:
                    return Target.Ask(running => TraceOn(running, new TraceRequest(TraceCategories.All, null, Json: false)));
                case ["on", ..]:
                    TraceRequest request = TraceRequest.Parse(string.Join(',', words[1..]));
                    return Target.Ask(running => TraceOn(running, request));
                default:
                    throw new MonitorException("give on or off");
            }
        }
        catch (Exception wrong) when (wrong is InspectException or DeviceException)
        {
            throw new MonitorException(wrong.Message);
        }
    }

    private string TraceOn(DebugTarget.Running running, TraceRequest request)
    {
        if (_tracer == null || (request.File != null && request.File != _options.Trace?.File))
        {
            if (request.File != null && IsSealed)
                throw new InspectException($"the launcher opens no more files: name it at the start, as in --trace=off,file={request.File}, and trace on writes there; or start the launcher with --sandbox=off");
            Tracer next = new(request, request.File == null ? null : _files.OpenTrace(request.File), Target, _say, _start);
            _tracer?.Detach();
            _tracer?.Dispose();
            _tracer = next;
        }

        _tracer.Categories = request.Categories;
        _tracer.Attach(running.Guest);
        return $"tracing {request.Categories.ToString().ToLowerInvariant()}\n";
    }

    private string TraceOff()
    {
        if (_tracer == null)
            return "nothing is traced\n";
        _tracer.Detach();
        return "tracing is off\n";
    }
}
