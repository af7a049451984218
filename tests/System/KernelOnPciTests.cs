// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using Lguest.Tests.Network;
using Lguest.Tests.Support;

namespace Lguest.Tests.WholeSystem;

/// <summary>Real kernels of 4.0 to 4.13 with their devices on PCI: each boots, is typed to, keeps a disk, and has a network.</summary>
public sealed class KernelOnPciTests : LaterKernelRun
{
    /// <summary>A shell on hvc0, on a terminal: what is typed arrives, a program's work is right, and power-off gives the terminal back.</summary>
    [KernelOnPciTheory(LaterKernels.InitrdVariable)]
    [MemberData(nameof(KernelsOnPci.WithEngines), MemberType = typeof(KernelsOnPci))]
    public void AnInitrdGivesAShell(string engine, string kernel) =>
        Shell(engine, kernel, ("dd if=/dev/hwrng bs=100 count=1 2>/dev/null | wc -c", "100"));

    /// <summary>The root disk is vda. The guest restarts, finds what it wrote, and the file system is clean.</summary>
    [KernelOnPciTheory(LaterKernels.RootVariable)]
    [MemberData(nameof(KernelsOnPci.WithEngines), MemberType = typeof(KernelsOnPci))]
    public void ARootDiskKeepsWhatWasWritten(string engine, string kernel) => RootDiskKeepsWhatWasWritten(engine, kernel);

    /// <summary>A disk that is read-only stays as it is, and a second one is vdb.</summary>
    [KernelOnPciTheory(LaterKernels.InitrdVariable)]
    [MemberData(nameof(KernelsOnPci.WithEngines), MemberType = typeof(KernelsOnPci))]
    public void DisksAreInTheOrderOfTheCommandLine(string engine, string kernel)
    {
        byte[] content = new byte[1 << 20];
        new Random(4).NextBytes(content);
        string first = Files.File("a", content);
        string second = Files.File("b", new byte[2 << 20]);
        RunningGuest guest = Linux(engine, kernel, [], $"--block={first},ro", $"--block={second}");
        Assert.Contains("2048\n4096\n", guest.Command("cat /sys/block/vda/size /sys/block/vdb/size").ReplaceLineEndings("\n"), StringComparison.Ordinal);
        guest.Command("dd if=/dev/zero of=/dev/vda bs=512 count=1 2>/dev/null; sync");
        guest.Command("dd if=/dev/vda of=/dev/vdb bs=65536 2>/dev/null; sync; echo 3 >/proc/sys/vm/drop_caches");
        guest.Type("poweroff -f");
        Assert.True(guest.Process.WaitForExit(LauncherProcess.Patience));
        Assert.Equal(content, File.ReadAllBytes(first));
        Assert.Equal(content, File.ReadAllBytes(second)[..content.Length]);
    }

    /// <summary>What a script has written before the guest is up arrives, and the guest's own status comes out.</summary>
    [KernelOnPciTheory(LaterKernels.InitrdVariable)]
    [MemberData(nameof(KernelsOnPci.WithEngines), MemberType = typeof(KernelsOnPci))]
    public void AScriptNeedNotWaitForTheGuest(string engine, string kernel)
    {
        ProcessResult result = LauncherProcess.Run(
            "echo lguest: exit status 7; poweroff -f\n", ["--exit-status", "--engine=" + engine, "--initrd=" + LaterKernels.Initrd, "64m", kernel, "quiet"]);
        Assert.Equal((7, string.Empty), (result.Status, result.Error));
    }

    /// <summary>A guest that never comes out for its devices is ended by --timeout, and by the end of whoever reads its output.</summary>
    [KernelOnPciTheory(LaterKernels.InitrdVariable)]
    [MemberData(nameof(KernelsOnPci.WithEngines), MemberType = typeof(KernelsOnPci))]
    public void AGuestIsEndedFromOutside(string engine, string kernel)
    {
        string[] command = [Needs.LauncherPath, "--engine=" + engine, "--initrd=" + LaterKernels.Initrd, "64m", kernel];
        ProcessResult late = LauncherProcess.Run(["--timeout=3", .. command[1..], "quiet"]);
        Assert.Equal(124, late.Status);
        Assert.Contains("it has run for the 3 s of --timeout", late.Error, StringComparison.Ordinal);
        string words = NetworkNamespace.Tool("bash", ["-c", "\"$@\" </dev/null | head -n 1 >/dev/null; echo ${PIPESTATUS[0]}", "bash", .. command]);
        Assert.Equal("141\n", words);
    }

    /// <summary>Without --no-rng there is a source of random bytes; with it there is none.</summary>
    [KernelOnPciTheory(LaterKernels.InitrdVariable)]
    [MemberData(nameof(KernelsOnPci.WithEngines), MemberType = typeof(KernelsOnPci))]
    public void RandomBytesCanBeLeftOut(string engine, string kernel)
    {
        Assert.Contains("virtio", Linux(engine, kernel, []).Command("cat /sys/class/misc/hw_random/rng_current"), StringComparison.Ordinal);
        Assert.DoesNotContain("virtio", Linux(engine, kernel, [], "--no-rng").Command("cat /sys/class/misc/hw_random/rng_current"), StringComparison.Ordinal);
    }

    /// <summary>An address by DHCP, and a transfer from a server on this machine's loopback.</summary>
    [KernelOnPciTheory(LaterKernels.InitrdVariable, NetNeed.Passt)]
    [MemberData(nameof(KernelsOnPci.WithEngines), MemberType = typeof(KernelsOnPci))]
    public void UsernetReachesThisMachinesLoopback(string engine, string kernel)
    {
        using TransferServer server = new("127.0.0.1", 2 << 20);
        RunningGuest guest = Linux(engine, kernel, [], "--usernet");
        guest.Command("ifconfig eth0 up; printf '#!/bin/sh\\nifconfig eth0 $ip netmask $subnet 2>/dev/null\\necho router $router\\n' >/tmp/s; chmod 755 /tmp/s");
        string lease = guest.Command("udhcpc -i eth0 -q -n -s /tmp/s");
        Assert.Contains("router 10.0.2.2", lease, StringComparison.Ordinal);
        Assert.Contains(server.Digest, guest.Command($"sleep 3 | nc 10.0.2.2 {server.Port} | md5sum"), StringComparison.Ordinal);
    }

    /// <summary>Two of them on a shared network, and a guest of 2.6.23 with them: each reaches each, and 10 MB arrive.</summary>
    [KernelOnPciTheory(LaterKernels.InitrdVariable)]
    [MemberData(nameof(KernelsOnPci.WithEngines), MemberType = typeof(KernelsOnPci))]
    public void GuestsOfBothKindsShareANetwork(string engine, string kernel)
    {
        (RunningGuest one, RunningGuest two) = TwoOnANetwork(engine, kernel);
        RunningGuest old = Started(RunningGuest.Demo([], ["--engine=" + engine, SharedNetwork], "10.1.1.3"));
        Assert.Contains("3 packets received", two.Command("ping -c 3 10.1.1.3"), StringComparison.Ordinal);
        Assert.Contains("3 sent, 3 received", old.Command("ping 10.1.1.1 3"), StringComparison.Ordinal);
        Transfer(one, two);
    }

    /// <summary>10 MB each way through a tap, whose offloads the guest's driver uses.</summary>
    [KernelOnPciTheory(LaterKernels.InitrdVariable, NetNeed.Taps)]
    [MemberData(nameof(KernelsOnPci.WithEngines), MemberType = typeof(KernelsOnPci))]
    public void ATapCarriesBothWays(string engine, string kernel)
    {
        using NetworkNamespace network = new();
        string capture = Path.Combine(Files.Path, "packets");
        RunningGuest guest = OnATap(network, engine, kernel, "--pcap=" + capture);
        Assert.True(network.Run(static () => HostPing.Once("192.168.19.2", 1472)));
        TransferBothWays(network, guest);

        // The driver has taken what was offered: whole TCP goes out, far fewer packets than 10 MiB have.
        const int fullPackets = (10 << 20) / 1448;
        int sent = int.Parse(guest.Command("cat /sys/class/net/eth0/statistics/tx_packets").Split('\n').First(static line => char.IsAsciiDigit(line[0])), CultureInfo.InvariantCulture);
        Assert.InRange(sent, 1, fullPackets);
        Assert.InRange(new FileInfo(capture).Length, 20 << 20, 30 << 20);
    }
}
