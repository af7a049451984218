// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;

namespace Lguest.Bench;

/// <summary>Where the things are that we measure; make has built them.</summary>
public sealed class Places
{
    /// <summary>Looks around.</summary>
    public Places()
    {
        Root = FindRoot();
        Out = Environment.GetEnvironmentVariable("LGUEST_OUT") ?? Path.Combine(Root, "out");
        Qemu = (Environment.GetEnvironmentVariable("PATH") ?? string.Empty).Split(':').Select(directory => Path.Combine(directory, "qemu-system-i386")).FirstOrDefault(File.Exists);
    }

    /// <summary>The source tree.</summary>
    public string Root { get; }

    /// <summary>Where make puts things.</summary>
    public string Out { get; }

    /// <summary>The launcher.</summary>
    public string Launcher => Path.Combine(Out, "lguest");

    /// <summary>qemu-system-i386, or null.</summary>
    public string? Qemu { get; }

    /// <summary>One of our guests.</summary>
    public string Guest(string name) => Path.Combine(Out, "guest", name);

    /// <summary>One of the three programs with the workloads.</summary>
    public string Bench(string name) => Path.Combine(Out, "guest", "bench", name);

    /// <summary>Where the report goes, unless said otherwise.</summary>
    public string Report => Path.Combine(Out, "performance.md");

    /// <summary>The documentation's page.</summary>
    public string Page => Path.Combine(Root, "docs", "performance.md");

    /// <summary>Not every 64-bit Linux runs 32-bit programs.</summary>
    public string? WhyNoNative()
    {
        try
        {
            using Process process = Process.Start(new ProcessStartInfo(Bench("native"), ["only=none"]) { RedirectStandardOutput = true })!;
            process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0 ? null : $"the native program ends with status {process.ExitCode}";
        }
        catch (System.ComponentModel.Win32Exception failure)
        {
            return $"this host runs no 32-bit programs: {failure.Message}";
        }
    }

    private static string FindRoot()
    {
        for (string? directory = AppContext.BaseDirectory; directory != null; directory = Path.GetDirectoryName(directory))
        {
            if (File.Exists(Path.Combine(directory, "Lguest.sln")))
                return directory;
        }

        return Environment.CurrentDirectory;
    }
}
