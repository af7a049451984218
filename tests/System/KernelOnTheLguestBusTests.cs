// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Tests.Network;
using Lguest.Tests.Support;

namespace Lguest.Tests.WholeSystem;

/// <summary>Real kernels of 2.6.24 to 3.19 with their devices on the lguest bus: each boots, is typed to, keeps a disk, and has a network.</summary>
public sealed class KernelOnTheLguestBusTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly List<RunningGuest> _guests = [];

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (RunningGuest guest in _guests)
            guest.Dispose();
        _directory.Dispose();
    }

    /// <summary>A shell on hvc0, on a terminal: what is typed arrives, a program's work is right, and power-off gives the terminal back.</summary>
    [KernelOnTheLguestBusTheory(KernelsOnPci.InitrdVariable)]
    [MemberData(nameof(KernelsOnTheLguestBus.WithEngines), MemberType = typeof(KernelsOnTheLguestBus))]
    public void AnInitrdGivesAShell(string engine, string kernel) => Shell(engine, kernel);

    /// <summary>The same with both engines in lockstep.</summary>
    [KernelOnTheLguestBusTheory(KernelsOnPci.InitrdVariable)]
    [MemberData(nameof(KernelsOnTheLguestBus.WithCheck), MemberType = typeof(KernelsOnTheLguestBus))]
    public void TheEnginesAgree(string engine, string kernel) => Shell(engine, kernel);

    /// <summary>What is said before there is a driver for the console goes out, too: the very first line.</summary>
    [KernelOnTheLguestBusTheory(KernelsOnPci.InitrdVariable)]
    [MemberData(nameof(KernelsOnTheLguestBus.WithEngines), MemberType = typeof(KernelsOnTheLguestBus))]
    public void AKernelIsHeardFromTheBeginning(string engine, string kernel)
    {
        RunningGuest guest = Started(RunningGuest.Linux([], kernel, ["--engine=" + engine, "--initrd=" + KernelsOnPci.Initrd], "debug"));
        Assert.Contains("Linux version ", guest.Output, StringComparison.Ordinal);
        Assert.Contains("lguest", guest.Output, StringComparison.Ordinal);
    }

    /// <summary>The root disk is vda. The guest restarts, finds what it wrote, and the file system is clean.</summary>
    [KernelOnTheLguestBusTheory(KernelsOnPci.RootVariable)]
    [MemberData(nameof(KernelsOnTheLguestBus.WithEngines), MemberType = typeof(KernelsOnTheLguestBus))]
    public void ARootDiskKeepsWhatWasWritten(string engine, string kernel)
    {
        string disk = Path.Combine(_directory.Path, "root.img");
        File.Copy(KernelsOnPci.Root, disk);
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

    /// <summary>A second disk is vdb, and what is copied between them in large pieces is the same.</summary>
    [KernelOnTheLguestBusTheory(KernelsOnPci.InitrdVariable)]
    [MemberData(nameof(KernelsOnTheLguestBus.WithEngines), MemberType = typeof(KernelsOnTheLguestBus))]
    public void DisksAreInTheOrderOfTheCommandLine(string engine, string kernel)
    {
        byte[] content = new byte[4 << 20];
        new Random(4).NextBytes(content);
        string first = _directory.File("a", content);
        string second = _directory.File("b", new byte[5 << 20]);
        RunningGuest guest = Linux(engine, kernel, $"--block={first},ro", $"--block={second}");
        Assert.Contains("8192\n10240\n", guest.Command("cat /sys/block/vda/size /sys/block/vdb/size").ReplaceLineEndings("\n"), StringComparison.Ordinal);
        guest.Command("dd if=/dev/vda of=/dev/vdb bs=1048576 2>/dev/null; sync");
        guest.Type("poweroff -f");
        Assert.True(guest.Process.WaitForExit(LauncherProcess.Patience));
        Assert.Equal(content, File.ReadAllBytes(first));
        Assert.Equal(content, File.ReadAllBytes(second)[..content.Length]);
    }

    /// <summary>Two of them on a shared network: each reaches the other, and 10 MB arrive.</summary>
    [KernelOnTheLguestBusTheory(KernelsOnPci.InitrdVariable)]
    [MemberData(nameof(KernelsOnTheLguestBus.WithEngines), MemberType = typeof(KernelsOnTheLguestBus))]
    public void GuestsShareANetwork(string engine, string kernel)
    {
        string lan = "--sharenet=" + Path.Combine(_directory.Path, "lan");
        RunningGuest one = Linux(engine, kernel, lan);
        RunningGuest two = Linux(engine, kernel, lan);
        one.Command("ifconfig eth0 10.1.1.1 up");
        two.Command("ifconfig eth0 10.1.1.2 up");
        Assert.Contains("3 packets received", two.Command("ping -c 3 10.1.1.1"), StringComparison.Ordinal);
        one.Type("dd if=/dev/zero bs=65536 count=160 2>/dev/null | nc -l -p 5000");
        string sum = two.Command("sleep 1; nc 10.1.1.1 5000 </dev/null | md5sum");
        Assert.Contains("f1c9645dbc14efddc7d8a322685f26eb", sum, StringComparison.Ordinal);
    }

    /// <summary>10 MB each way through a tap: 2.6.24 without its offloads, later ones with them.</summary>
    [KernelOnTheLguestBusTheory(KernelsOnPci.InitrdVariable, NetNeed.Taps)]
    [MemberData(nameof(KernelsOnTheLguestBus.WithEngines), MemberType = typeof(KernelsOnTheLguestBus))]
    public void ATapCarriesBothWays(string engine, string kernel)
    {
        using NetworkNamespace network = new();
        RunningGuest guest = Started(RunningGuest.Linux(network.Enter, kernel, ["--engine=" + engine, "--initrd=" + KernelsOnPci.Initrd, "--tunnet=192.168.19.1/24"]));
        guest.Command("ifconfig eth0 192.168.19.2 up");
        Assert.Contains("3 packets received", guest.Command("ping -c 3 192.168.19.1"), StringComparison.Ordinal);
        using TransferServer server = network.Run(static () => new TransferServer("192.168.19.1", 10 << 20));
        Assert.Contains(server.Digest, guest.Command($"nc 192.168.19.1 {server.Port} </dev/null | md5sum"), StringComparison.Ordinal);
        server.AssertWell();
        guest.Command($"dd if=/dev/zero bs=65536 count=160 2>/dev/null | nc 192.168.19.1 {server.Port}");
        Assert.Equal("f1c9645dbc14efddc7d8a322685f26eb", server.Received());
    }

    /// <summary>More devices than such a kernel has irqs for are refused, with the numbers.</summary>
    [KernelOnTheLguestBusTheory(KernelsOnPci.InitrdVariable)]
    [MemberData(nameof(KernelsOnTheLguestBus.WithCheck), MemberType = typeof(KernelsOnTheLguestBus))]
    public void IrqsAreCounted(string engine, string kernel)
    {
        string lan = "--sharenet=" + Path.Combine(_directory.Path, "lan");
        ProcessResult result = LauncherProcess.Run(["--engine=" + engine, .. Enumerable.Repeat(lan, 7), "64m", kernel]);
        Assert.Equal(1, result.Status);
        Assert.Contains($"irqs, a network and the console two each, and kernel '{kernel}'", result.Error, StringComparison.Ordinal);
    }

    private static void Shell(string engine, string kernel)
    {
        using PseudoTerminal terminal = new();
        terminal.Start("--engine=" + engine, "64m", kernel, "--initrd=" + KernelsOnPci.Initrd, "quiet");
        terminal.WaitFor("# ");
        foreach ((string command, string answer) in ((string, string)[])[("echo $((6*7))$((2+1))", "423"), ("cat /dev/zero | head -c 100000 | md5sum", "0019d23bef56a136a1891211d7007f6f")])
        {
            terminal.Type(command + "\r");
            terminal.WaitFor(answer);
            terminal.WaitFor("# ");
        }

        terminal.Type("poweroff -f\r");
        Assert.Equal((0, terminal.Before, string.Empty), (terminal.WaitForExit(), terminal.Settings, terminal.Error));
    }

    private RunningGuest Linux(string engine, string kernel, params string[] options) =>
        Started(RunningGuest.Linux([], kernel, ["--engine=" + engine, "--initrd=" + KernelsOnPci.Initrd, .. options]));

    private RunningGuest Started(RunningGuest guest)
    {
        _guests.Add(guest);
        return guest;
    }
}
