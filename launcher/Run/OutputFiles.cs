// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices;
using Lguest.Inspect;
using Lguest.Inspect.Symbols;
using Lguest.Launcher.Options;

namespace Lguest.Launcher.Run;

/// <summary>
/// All files that a launcher writes because its options say so, opened before the guest starts: none of them is a file that the
/// guest lives on, no two are one file, and those that the user cannot have are refused while nothing has happened yet.
/// </summary>
public sealed class OutputFiles : IDisposable
{
    private readonly FileClaims _claims = new();

    private OutputFiles()
    {
    }

    /// <summary>Of <c>--report</c>.</summary>
    public OutputFile? Report { get; private set; }

    /// <summary>Of <c>--stats</c>, unless they go to standard error.</summary>
    public OutputFile? Statistics { get; private set; }

    /// <summary>Of <c>--trace</c>, unless it goes to standard error.</summary>
    public OutputFile? Trace { get; private set; }

    /// <summary>Of <c>--coredump</c>.</summary>
    public OutputFile? CoreDump { get; private set; }

    /// <summary>Of <c>--console</c>.</summary>
    public OutputFile? Console { get; private set; }

    /// <summary>Of <c>--pcap</c>.</summary>
    public OutputFile? Capture { get; private set; }

    /// <summary>Names of those that were made, and are removed if nothing is written.</summary>
    public IEnumerable<string?> Leftovers => [Report?.Leftover, Statistics?.Leftover, Trace?.Leftover, CoreDump?.Leftover, Console?.Leftover, Capture?.Leftover];

    /// <summary>Opens what the command line names. Nothing is overwritten yet.</summary>
    /// <exception cref="DeviceException">A file cannot be written, or is something else as well.</exception>
    public static OutputFiles Open(LaunchOptions options)
    {
        OutputFiles files = new();
        try
        {
            files.Claim(options);
            if (options.Debug.Report is { } report)
                files.Report = OutputFile.Open("--report", "the report", report, files._claims);
            if (options.Debug.Statistics?.File is { } statistics)
                files.Statistics = OutputFile.Open("--stats", "the statistics", statistics, files._claims);
            if (options.Debug.Trace?.File is { } trace)
                files.Trace = files.OpenTrace(trace);
            if (options.Debug.CoreDump is { } core)
                files.CoreDump = OutputFile.Open("--coredump", "the core", core, files._claims, secret: true);
            if (options.Console is ConsoleOption.ToFile(string console))
                files.Console = OutputFile.Open("--console", "the console", console, files._claims);
            if (options.Capture is { } capture)
                files.Capture = OutputFile.Open("--pcap", "packets", capture, files._claims);
            return files;
        }
        catch
        {
            files.Dispose();
            throw;
        }
    }

    /// <summary>Those that what looks into the guest writes.</summary>
    /// <param name="kernel">The kernel's file.</param>
    /// <param name="symbols">Symbols in place of those in that file, or null.</param>
    public InspectionFiles ToInspect(string kernel, SymbolTable? symbols) =>
        new(kernel, OpenTrace) { Symbols = symbols, Report = Report, Statistics = Statistics, Trace = Trace, CoreDump = CoreDump };

    /// <summary>Opens a file for a trace that somebody asks for while the guest runs.</summary>
    /// <exception cref="DeviceException">It cannot be written, or is something else as well.</exception>
    public OutputFile OpenTrace(string path) => OutputFile.Open("--trace", "the trace", path, _claims);

    /// <summary>Takes note of a shared network's file: before it is opened, and again when it has been made.</summary>
    /// <exception cref="DeviceException">It is something else.</exception>
    public void TakeNetwork(string path) => _claims.Take("--sharenet", path);

    /// <summary>Closes them, and removes those that were made and not used.</summary>
    public void Dispose()
    {
        Report?.Dispose();
        Statistics?.Dispose();
        Trace?.Dispose();
        CoreDump?.Dispose();
        Console?.Dispose();
        Capture?.Dispose();
    }

    /// <summary>Takes note of what the guest lives on.</summary>
    private void Claim(LaunchOptions options)
    {
        _claims.AddInput("kernel", options.Kernel);
        if (options.Initrd != null)
            _claims.AddInput("initrd", options.Initrd);
        if (options.Debug.Symbols != null)
            _claims.AddInput("symbols", options.Debug.Symbols);
        foreach (DeviceOption device in options.Devices)
            device.Claim(_claims);
        foreach (NetOption.SharedNet shared in options.Nets.OfType<NetOption.SharedNet>())
            TakeNetwork(shared.Path);
    }
}
