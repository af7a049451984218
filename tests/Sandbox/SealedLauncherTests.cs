// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using Lguest.Tests.Inspect;
using Lguest.Tests.Network;
using Lguest.Tests.Support;

namespace Lguest.Tests.Sandbox;

/// <summary>What the kernel says of a running launcher: of each of its threads.</summary>
public sealed class SealedLauncherTests : IDisposable
{
    private const string Ourselves = "ourselves";

    /// <summary>When it started, in /proc/PID/stat.</summary>
    private const int StartField = 21;
    private readonly TemporaryDirectory _directory = new();

    public static TheoryData<string, string> Launchers
    {
        get
        {
            TheoryData<string, string> data = [];
            foreach (string options in (string[])["", "--engine=interpreter", "--engine=check", "--control=unix:DIR/c --gdb=unix:DIR/g", "--sharenet=DIR/lan --sharenet=DIR/lan2 --block=DIR/disk", "--block=DIR/disk,overlay=DIR/over --block=DIR/disk,snapshot", "--trace=all,file=DIR/t --report=DIR/r --stats=DIR/s --coredump=DIR/core"])
            {
                data.Add(options, Ourselves);
                if (OtherUser.WhyNot == null)
                    data.Add(options, OtherUser.Nobody);
            }

            return data;
        }
    }

    public void Dispose() => _directory.Dispose();

    [TheoryNeeding(Need.Launcher, Need.Guests)]
    [MemberData(nameof(Launchers))]
    public void EveryThreadHasGivenUpItsRights(string options, string user)
    {
        using Process launcher = Start(options, user);
        try
        {
            foreach (string task in Directory.GetDirectories($"/proc/{launcher.Id}/task"))
            {
                string[] status = File.ReadAllLines(task + "/status");
                Assert.Contains("Seccomp:\t2", status);
                Assert.Contains("NoNewPrivs:\t1", status);
                foreach (string set in (string[])["CapInh", "CapPrm", "CapEff", "CapAmb"])
                    Assert.Contains(set + ":\t0000000000000000", status);

                // What exec could give may be thrown away by those only who have some of it.
                if (user != Ourselves || Environment.UserName == "root")
                    Assert.Contains("CapBnd:\t0000000000000000", status);
            }

            // Not dumpable: what is in /proc of it belongs to root.
            Assert.Equal("0", Owner($"/proc/{launcher.Id}/mem"));

            // Killed launchers of the same number may have left theirs.
            string process = $"{launcher.Id}-{File.ReadAllText($"/proc/{launcher.Id}/stat").Split(' ')[StartField]}";
            Assert.Empty(Directory.GetFiles("/tmp", $"dotnet-diagnostic-{process}-*"));
            Assert.Empty(Directory.GetFiles("/tmp", $"clr-debug-pipe-{process}-*"));
            End(launcher);
        }
        finally
        {
            Kill(launcher);
        }

        // What the launcher removes at its end it may still remove, and nothing that was not needed stays.
        string[] kept = options.Contains("lan", StringComparison.Ordinal) ? ["disk", "lan", "lan2"] : options.Contains("overlay", StringComparison.Ordinal) ? ["disk", "over"] : options.Contains("report", StringComparison.Ordinal) ? ["disk", "r", "s", "t"] : ["disk"];
        Assert.Equal(kept, Directory.GetFileSystemEntries(_directory.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [FactNeeding(Need.Launcher, Need.Guests)]
    public void SwitchedOffNothingIsGivenUp()
    {
        using Process launcher = Start("--sandbox=off", Ourselves);
        try
        {
            foreach (string task in Directory.GetDirectories($"/proc/{launcher.Id}/task"))
            {
                Assert.Contains("Seccomp:\t0", File.ReadAllLines(task + "/status"));
                Assert.Contains("NoNewPrivs:\t0", File.ReadAllLines(task + "/status"));
            }

            End(launcher);
        }
        finally
        {
            Kill(launcher);
        }
    }

    [FactNeeding(Need.Launcher, Need.Guests)]
    public void WhatIsInForceIsSaid()
    {
        const string all = "no new privileges, no capabilities, Landlock (ABI ";
        ProcessResult result = LauncherProcess.Run("-v", "16m", Needs.Guest("conformance/hello"));
        Assert.Contains("lguest: sandbox: " + all, result.Error, StringComparison.Ordinal);
        Assert.Contains("system calls filtered", result.Error, StringComparison.Ordinal);
        ProcessResult off = LauncherProcess.Run("-v", "--sandbox=off", "16m", Needs.Guest("conformance/hello"));
        Assert.Contains("lguest: sandbox: none (switched off by --sandbox=off)", off.Error, StringComparison.Ordinal);
        using WaitingLauncher launcher = new("--control=unix:CONTROL", "16m", Needs.Guest("demo"));
        launcher.WaitUntil(() => launcher.Output.Contains("Type help", StringComparison.Ordinal), "the demo's greeting");
        Assert.Contains("\nsandbox: " + all, LauncherProcess.Run("ctl", launcher.ControlSocket, "status").Output, StringComparison.Ordinal);
    }

    private Process Start(string options, string user)
    {
        File.WriteAllBytes(_directory.Path + "/disk", new byte[4096]);
        string[] words = options.Replace("DIR", _directory.Path, StringComparison.Ordinal).Split(' ', StringSplitOptions.RemoveEmptyEntries);
        string[] command = [Needs.LauncherPath, .. words, "16m", Needs.Guest("demo")];
        if (user != Ourselves)
        {
            Process.Start("chown", ["-R", $"{user}:{user}", _directory.Path]).WaitForExit();
            command = [.. OtherUser.WithoutPrivileges, .. command];
        }

        Process launcher = Process.Start(new ProcessStartInfo(command[0], command[1..]) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        while (launcher.StandardOutput.ReadLine() is { } line && !line.Contains("Type help", StringComparison.Ordinal))
            continue;
        return launcher;
    }

    private static void End(Process launcher)
    {
        launcher.StandardInput.Write("off\n");
        launcher.StandardInput.Close();
        launcher.StandardOutput.ReadToEnd();
        Assert.True(launcher.WaitForExit(LauncherProcess.Patience));
        Assert.Equal(0, launcher.ExitCode);
    }

    private static void Kill(Process launcher)
    {
        if (!launcher.HasExited)
            launcher.Kill();
        launcher.WaitForExit();
    }

    private static string Owner(string path)
    {
        Assert.Equal(0, Mono.Unix.Native.Syscall.lstat(path, out Mono.Unix.Native.Stat status));
        return status.st_uid.ToString(System.Globalization.CultureInfo.InvariantCulture);
    }
}
