// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;

namespace Lguest.Bench;

/// <summary>The machine that the figures are about.</summary>
public static class Host
{
    /// <summary>One line each.</summary>
    public static IEnumerable<(string Name, string Value)> Describe(Places places)
    {
        yield return ("processor", $"{CpuInfo("model name")}, family {CpuInfo("cpu family")}, model {CpuInfo("model")}, {Environment.ProcessorCount} for us{(CpuInfo("flags").Contains(" hypervisor") ? ", virtual" : string.Empty)}");
        yield return ("kernel", First("/proc/sys/kernel/osrelease"));
        yield return (".NET", Environment.Version.ToString());
        yield return ("QEMU", places.Qemu == null ? "none" : Run(places.Qemu, "--version"));
        yield return ("load average at the end", First("/proc/loadavg").Split(' ')[0]);
        yield return ("date", DateTime.UtcNow.ToString("yyyy-MM-dd HH:mm") + " UTC");
    }

    private static string CpuInfo(string name) =>
        File.ReadLines("/proc/cpuinfo").FirstOrDefault(line => line.Split(':')[0].Trim() == name)?.Split(':')[1].Trim() ?? "?";

    private static string First(string file) => File.ReadLines(file).First();

    private static string Run(string program, string argument)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, [argument]) { RedirectStandardOutput = true })!;
        return process.StandardOutput.ReadToEnd().Split('\n')[0];
    }
}
