// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Tests.Network;
using Lguest.Tests.Support;

namespace Lguest.Tests.WholeSystem;

/// <summary>Real kernels of 2.6.24 to 3.19 with their devices on the lguest bus: each boots, is typed to, keeps a disk, and has a network.</summary>
public sealed class KernelOnTheLguestBusTests : LaterKernelRun
{
    /// <summary>A shell on hvc0, on a terminal: what is typed arrives, a program's work is right, and power-off gives the terminal back.</summary>
    [KernelOnTheLguestBusTheory(LaterKernels.InitrdVariable)]
    [MemberData(nameof(KernelsOnTheLguestBus.WithEngines), MemberType = typeof(KernelsOnTheLguestBus))]
    public void AnInitrdGivesAShell(string engine, string kernel) => Shell(engine, kernel);

    /// <summary>The same with both engines in lockstep.</summary>
    [KernelOnTheLguestBusTheory(LaterKernels.InitrdVariable)]
    [MemberData(nameof(KernelsOnTheLguestBus.WithCheck), MemberType = typeof(KernelsOnTheLguestBus))]
    public void TheEnginesAgree(string engine, string kernel) => Shell(engine, kernel);

    /// <summary>What is said before there is a driver for the console goes out, too: the very first line.</summary>
    [KernelOnTheLguestBusTheory(LaterKernels.InitrdVariable)]
    [MemberData(nameof(KernelsOnTheLguestBus.WithEngines), MemberType = typeof(KernelsOnTheLguestBus))]
    public void AKernelIsHeardFromTheBeginning(string engine, string kernel)
    {
        RunningGuest guest = Started(RunningGuest.Linux([], kernel, ["--engine=" + engine, "--initrd=" + LaterKernels.Initrd], "debug"));
        Assert.Contains("Linux version ", guest.Output, StringComparison.Ordinal);
        Assert.Contains("lguest", guest.Output, StringComparison.Ordinal);
    }

    /// <summary>The root disk is vda. The guest restarts, finds what it wrote, and the file system is clean.</summary>
    [KernelOnTheLguestBusTheory(LaterKernels.RootVariable)]
    [MemberData(nameof(KernelsOnTheLguestBus.WithEngines), MemberType = typeof(KernelsOnTheLguestBus))]
    public void ARootDiskKeepsWhatWasWritten(string engine, string kernel) => RootDiskKeepsWhatWasWritten(engine, kernel);

    /// <summary>A second disk is vdb, and what is copied between them in large pieces is the same.</summary>
    [KernelOnTheLguestBusTheory(LaterKernels.InitrdVariable)]
    [MemberData(nameof(KernelsOnTheLguestBus.WithEngines), MemberType = typeof(KernelsOnTheLguestBus))]
    public void DisksAreInTheOrderOfTheCommandLine(string engine, string kernel)
    {
        byte[] content = new byte[4 << 20];
        new Random(4).NextBytes(content);
        string first = Files.File("a", content);
        string second = Files.File("b", new byte[5 << 20]);
        RunningGuest guest = Linux(engine, kernel, [], $"--block={first},ro", $"--block={second}");
        Assert.Contains("8192\n10240\n", guest.Command("cat /sys/block/vda/size /sys/block/vdb/size").ReplaceLineEndings("\n"), StringComparison.Ordinal);
        guest.Command("dd if=/dev/vda of=/dev/vdb bs=1048576 2>/dev/null; sync");
        guest.Type("poweroff -f");
        Assert.True(guest.Process.WaitForExit(LauncherProcess.Patience));
        Assert.Equal(content, File.ReadAllBytes(first));
        Assert.Equal(content, File.ReadAllBytes(second)[..content.Length]);
    }

    /// <summary>Two of them on a shared network: each reaches the other, and 10 MB arrive.</summary>
    [KernelOnTheLguestBusTheory(LaterKernels.InitrdVariable)]
    [MemberData(nameof(KernelsOnTheLguestBus.WithEngines), MemberType = typeof(KernelsOnTheLguestBus))]
    public void GuestsShareANetwork(string engine, string kernel)
    {
        (RunningGuest one, RunningGuest two) = TwoOnANetwork(engine, kernel);
        Transfer(one, two);
    }

    /// <summary>10 MB each way through a tap: 2.6.24 without its offloads, later ones with them.</summary>
    [KernelOnTheLguestBusTheory(LaterKernels.InitrdVariable, NetNeed.Taps)]
    [MemberData(nameof(KernelsOnTheLguestBus.WithEngines), MemberType = typeof(KernelsOnTheLguestBus))]
    public void ATapCarriesBothWays(string engine, string kernel)
    {
        using NetworkNamespace network = new();
        TransferBothWays(network, OnATap(network, engine, kernel));
    }

    /// <summary>More devices than such a kernel has irqs for are refused, with the numbers.</summary>
    [KernelOnTheLguestBusTheory(LaterKernels.InitrdVariable)]
    [MemberData(nameof(KernelsOnTheLguestBus.WithCheck), MemberType = typeof(KernelsOnTheLguestBus))]
    public void IrqsAreCounted(string engine, string kernel)
    {
        ProcessResult result = LauncherProcess.Run(["--engine=" + engine, .. Enumerable.Repeat(SharedNetwork, 7), "64m", kernel]);
        Assert.Equal(1, result.Status);
        Assert.Contains($"irqs, a network and the console two each, and kernel '{kernel}'", result.Error, StringComparison.Ordinal);
    }
}
