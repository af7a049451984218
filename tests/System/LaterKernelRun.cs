// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Tests.Network;
using Lguest.Tests.Support;

namespace Lguest.Tests.WholeSystem;

/// <summary>What is asked of every kernel after 2.6.23, whatever bus its devices are on.</summary>
public abstract class LaterKernelRun : IDisposable
{
    /// <summary>The MD5 sum of 10 MiB of zeros.</summary>
    private const string TenMegabytes = "f1c9645dbc14efddc7d8a322685f26eb";

    private readonly TemporaryDirectory _directory = new();
    private readonly List<RunningGuest> _guests = [];

    /// <summary>For files of the test's own.</summary>
    private protected TemporaryDirectory Files => _directory;

    /// <summary>The option for a network of the test's own.</summary>
    private protected string SharedNetwork => "--sharenet=" + Path.Combine(_directory.Path, "lan");

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (RunningGuest guest in _guests)
            guest.Dispose();
        _directory.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>A shell on hvc0, on a terminal: what is typed arrives, a program's work is right, and power-off gives the terminal back.</summary>
    private protected static void Shell(string engine, string kernel, params (string Command, string Answer)[] more)
    {
        using PseudoTerminal terminal = new();
        terminal.Start("--engine=" + engine, "64m", kernel, "--initrd=" + LaterKernels.Initrd, "quiet");
        terminal.WaitFor("# ");
        foreach ((string command, string answer) in ((string, string)[])[("echo $((6*7))$((2+1))", "423"), ("cat /dev/zero | head -c 100000 | md5sum", "0019d23bef56a136a1891211d7007f6f"), .. more])
        {
            terminal.Type(command + "\r");
            terminal.WaitFor(answer);
            terminal.WaitFor("# ");
        }

        terminal.Type("poweroff -f\r");
        Assert.Equal((0, terminal.Before, string.Empty), (terminal.WaitForExit(), terminal.Settings, terminal.Error));
    }

    /// <summary>The root disk is vda. The guest restarts, finds what it wrote, and the file system is clean.</summary>
    private protected void RootDiskKeepsWhatWasWritten(string engine, string kernel)
    {
        string disk = Path.Combine(_directory.Path, "root.img");
        File.Copy(LaterKernels.Root, disk);
        File.SetUnixFileMode(disk, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        RunningGuest guest = Started(RunningGuest.Linux([], kernel, ["--engine=" + engine, "--block=" + disk], "root=/dev/vda", "rw"));
        guest.Command("echo written by a guest >/lguest-test; sync");
        guest.Type("mount -o remount,ro / && reboot -f");
        guest.WaitFor("# ");
        guest.Type("cat /lguest-test");
        guest.WaitFor("written by a guest");
        guest.Type("mount -o remount,ro / && poweroff -f");
        Assert.True(guest.Process.WaitForExit(LauncherProcess.Patience));
        Assert.Equal(0, guest.Process.ExitCode);
        FileSystem.Check(disk);
    }

    /// <summary>Two guests on <see cref="SharedNetwork"/>, 10.1.1.1 and 10.1.1.2: one reaches the other.</summary>
    private protected (RunningGuest One, RunningGuest Two) TwoOnANetwork(string engine, string kernel)
    {
        RunningGuest one = Linux(engine, kernel, [], SharedNetwork);
        RunningGuest two = Linux(engine, kernel, [], SharedNetwork);
        one.Command("ifconfig eth0 10.1.1.1 up");
        two.Command("ifconfig eth0 10.1.1.2 up");
        Assert.Contains("3 packets received", two.Command("ping -c 3 10.1.1.1"), StringComparison.Ordinal);
        return (one, two);
    }

    /// <summary>10 MB from the first of <see cref="TwoOnANetwork"/> to the second.</summary>
    private protected static void Transfer(RunningGuest one, RunningGuest two)
    {
        one.Type("dd if=/dev/zero bs=65536 count=160 2>/dev/null | nc -l -p 5000");
        string sum = two.Command("sleep 1; nc 10.1.1.1 5000 </dev/null | md5sum");
        Assert.Contains(TenMegabytes, sum, StringComparison.Ordinal);
    }

    /// <summary>A guest on a tap, 192.168.19.2, that reaches its host, 192.168.19.1.</summary>
    private protected RunningGuest OnATap(NetworkNamespace network, string engine, string kernel, params string[] options)
    {
        RunningGuest guest = Linux(engine, kernel, network.Enter, ["--tunnet=192.168.19.1/24", .. options]);
        guest.Command("ifconfig eth0 192.168.19.2 up");
        Assert.Contains("3 packets received", guest.Command("ping -c 3 192.168.19.1"), StringComparison.Ordinal);
        return guest;
    }

    /// <summary>10 MB each way between a guest of <see cref="OnATap"/> and its host.</summary>
    private protected static void TransferBothWays(NetworkNamespace network, RunningGuest guest)
    {
        using TransferServer server = network.Run(static () => new TransferServer("192.168.19.1", 10 << 20));
        Assert.Contains(server.Digest, guest.Command($"nc 192.168.19.1 {server.Port} </dev/null | md5sum"), StringComparison.Ordinal);
        server.AssertWell();
        guest.Command($"dd if=/dev/zero bs=65536 count=160 2>/dev/null | nc 192.168.19.1 {server.Port}");
        Assert.Equal(TenMegabytes, server.Received());
    }

    /// <summary>A guest with a shell from the initrd.</summary>
    private protected RunningGuest Linux(string engine, string kernel, string[] before, params string[] options) =>
        Started(RunningGuest.Linux(before, kernel, ["--engine=" + engine, "--initrd=" + LaterKernels.Initrd, .. options]));

    private protected RunningGuest Started(RunningGuest guest)
    {
        _guests.Add(guest);
        return guest;
    }
}
