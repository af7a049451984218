// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Text.RegularExpressions;
using Lguest.Tests.Support;
using Xunit;

namespace Lguest.Tests.WholeSystem;

/// <summary>
/// A real Linux 2.6.23, from the environment: docs/testing.md says what is asked of kernel, initrd and root disk.
/// </summary>
public sealed class RealKernelTests : IDisposable
{
    private readonly PseudoTerminal _terminal = new();
    private readonly TemporaryDirectory _directory = new();

    private static string Kernel => Environment.GetEnvironmentVariable("LGUEST_TEST_KERNEL")!;

    private static string Initrd => Environment.GetEnvironmentVariable("LGUEST_TEST_INITRD")!;

    /// <inheritdoc/>
    public void Dispose()
    {
        _terminal.Dispose();
        _directory.Dispose();
    }

    /// <summary>A shell from an initrd, at three sizes of memory.</summary>
    [TheoryNeeding(Need.Kernel, Need.Initrd, Need.Launcher)]
    [InlineData("16m")]
    [InlineData("64m")]
    [InlineData("512m")]
    public void AnInitrdGivesAShell(string memory)
    {
        _terminal.Start(memory, Kernel, $"--initrd={Initrd}");
        _terminal.WaitFor("# ");
        Shell("echo $((6*7))$((2+1))", "423");
        Shell("cat /proc/version", "Linux version 2.6.23");
        PowerOff();
    }

    /// <summary>Both engines in lockstep over a boot and some work, 100 million instructions at least: they do the same.</summary>
    [FactNeeding(Need.Kernel, Need.Initrd, Need.Launcher)]
    public void BothEnginesAgreeOnAWholeBoot()
    {
        const long enough = 100_000_000;
        _terminal.Start("--engine=check", "--verbose", "64m", Kernel, $"--initrd={Initrd}", "quiet", "lpj=5000000");
        _terminal.WaitFor("# ");
        Shell("i=0; while [ $i -lt 5000 ]; do i=$((i+1)); done; echo $((i+1))", "5001");
        Shell("for i in 1 2 3; do (cat /proc/cpuinfo | sort | wc -l; exit 3); echo sta''tus $?; done", "status 3");
        Shell("cat /dev/zero | head -c 100000 | md5sum", "0019d23bef56a136a1891211d7007f6f");
        _terminal.Type("poweroff -f\r");
        Assert.Equal(0, _terminal.WaitForExit());
        Match agreed = Regex.Match(_terminal.Error, "both engines agree on ([0-9,]+) instructions");
        Assert.True(agreed.Success, _terminal.Error);
        Assert.InRange(long.Parse(agreed.Groups[1].Value, NumberStyles.AllowThousands, CultureInfo.InvariantCulture), enough, long.MaxValue);
    }

    /// <summary>The kernel's memory map has every bank, and the guest lives with one that it does not use.</summary>
    [FactNeeding(Need.Kernel, Need.Initrd, Need.Launcher)]
    public void MemoryWithAHoleBoots()
    {
        _terminal.Start("64m@0,32m@128m", Kernel, $"--initrd={Initrd}");
        _terminal.WaitFor("# ");
        PowerOff("lguest: note: a Linux guest uses its lowest memory bank only, unless its words name the others: memmap=32768K@131072K\n");
    }

    /// <summary>The words that the note has give the kernel its other bank, and there is no note.</summary>
    [FactNeeding(Need.Kernel, Need.Initrd, Need.Launcher)]
    public void WordsGiveAKernelItsOtherBanks()
    {
        _terminal.Start("64m@0,32m@128m", Kernel, $"--initrd={Initrd}", "memmap=32768K@131072K");
        _terminal.WaitFor("# ");
        Shell("[ $(sed -n 's/MemTotal: *\\([0-9]*\\) kB/\\1/p' /proc/meminfo) -gt 80000 ] && echo mo''re", "more");
        PowerOff();
    }

    /// <summary>A root disk, twice in a row: the second boot finds what the first one wrote, and the file system is clean.</summary>
    [FactNeeding(Need.Kernel, Need.RootDisk, Need.Launcher)]
    public void ARootDiskKeepsWhatWasWritten()
    {
        string disk = Path.Combine(_directory.Path, "root.img");
        File.Copy(Environment.GetEnvironmentVariable("LGUEST_TEST_ROOT")!, disk);
        File.SetUnixFileMode(disk, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        _terminal.Start("64m", Kernel, $"--block={disk}", "root=/dev/lgba", "rw");
        _terminal.WaitFor("# ");
        Shell("echo written by a guest >/lguest-test && echo do''ne", "done");
        Shell("sync; mount -o remount,ro / && echo r''o", "ro");
        PowerOff();
        FileSystem.Check(disk);

        using PseudoTerminal second = new();
        second.Start("64m", Kernel, $"--block={disk},ro", "root=/dev/lgba", "ro");
        second.WaitFor("# ");
        second.Type("cat /lguest-test\r");
        second.WaitFor("written by a guest");
        second.Signal(Mono.Unix.Native.Signum.SIGTERM);
        Assert.Equal(143, second.WaitForExit());
        Assert.Equal(second.Before, second.Settings);
    }

    private void Shell(string command, string answer)
    {
        _terminal.Type(command + "\r");
        _terminal.WaitFor(answer);
        _terminal.WaitFor("# ");
    }

    private void PowerOff(string error = "")
    {
        _terminal.Type("poweroff -f\r");
        Assert.Equal(0, _terminal.WaitForExit());
        Assert.Equal(_terminal.Before, _terminal.Settings);
        Assert.Equal(error, _terminal.Error);
    }
}
