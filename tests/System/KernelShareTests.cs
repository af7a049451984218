// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Tests.Network;
using Lguest.Tests.Support;

namespace Lguest.Tests.WholeSystem;

/// <summary>Folders of the host in real kernels: what one side does the other sees, and a launcher's death loses nothing.</summary>
public sealed class KernelShareTests : IDisposable
{
    private const string Mount = "mount -t 9p -o trans=virtio,version=9p2000.L,msize=131072";

    private readonly TemporaryDirectory _directory = new();
    private RunningGuest? _guest;

    public KernelShareTests() => Directory.CreateDirectory(_directory.Path + "/share");

    /// <inheritdoc/>
    public void Dispose()
    {
        _guest?.Dispose();
        _directory.Dispose();
    }

    [KernelOnPciTheory(LaterKernels.InitrdVariable)]
    [MemberData(nameof(KernelsOnPci.WithEngines), MemberType = typeof(KernelsOnPci))]
    public void BothSidesSeeWhatTheOtherDoes(string engine, string kernel)
    {
        byte[] large = new byte[3_000_000];
        new Random(9).NextBytes(large);
        _directory.File("share/from-host", large);
        Directory.CreateDirectory(_directory.Path + "/other");
        _directory.File("other/file", "kept"u8.ToArray());
        Start(engine, kernel, $"--share={_directory.Path}/other,ro,tag=other");
        _guest!.Command($"mkdir /m2; {Mount} share /mnt && {Mount} other /m2; cd /mnt");
        Assert.Contains(Convert.ToHexStringLower(System.Security.Cryptography.MD5.HashData(large)), _guest.Command("md5sum from-host"), StringComparison.Ordinal);

        // Everything that a user does with files, and each answer of it.
        _guest.Command("mkdir d && cp from-host d/copy && mv d/copy d/moved && ln -s d/moved link && ln d/moved second && chmod 640 d/moved && touch -d '2001-02-03 04:05:06' d && truncate -s 5 second");
        Assert.Equal(large[..5], File.ReadAllBytes(_directory.Path + "/share/d/moved"));
        Assert.Equal((UnixFileMode)0x1A0, File.GetUnixFileMode(_directory.Path + "/share/second"));
        Assert.Equal("d/moved", new FileInfo(_directory.Path + "/share/link").LinkTarget);
        Assert.Equal(new DateTime(2001, 2, 3, 4, 5, 6, DateTimeKind.Utc), Directory.GetLastWriteTimeUtc(_directory.Path + "/share/d"));
        _directory.File("share/second", "host again"u8.ToArray());
        Assert.Contains("host again", _guest.Command("cat link; echo"), StringComparison.Ordinal);
        Assert.Contains("pipes work", _guest.Command("mkfifo p; (echo pipes wo''rk >p &); cat p"), StringComparison.Ordinal);
        Assert.Contains("still here", _guest.Command("echo still he''re >gone; exec 5<gone; rm gone; cat <&5"), StringComparison.Ordinal);
        Assert.Contains("200 names", _guest.Command("mkdir m; i=0; while [ $i -lt 200 ]; do echo $i >m/f$i; i=$((i+1)); done; echo $(ls m | wc -l) na''mes; rm -r m"), StringComparison.Ordinal);
        Assert.Contains("Read-only file system", _guest.Command("echo no >/m2/file"), StringComparison.Ordinal);
        Assert.Contains("kept", _guest.Command("cat /m2/file; echo"), StringComparison.Ordinal);
        Assert.Equal(["d", "from-host", "link", "p", "second"], Directory.GetFileSystemEntries(_directory.Path + "/share").Select(Path.GetFileName).Order());

        // A guest that starts over has nothing open, and mounts it anew.
        _guest.Type("reboot -f");
        _guest.WaitFor("# ");
        _guest.Type($"{Mount} share /mnt && cat /mnt/link && echo && poweroff -f");
        _guest.WaitFor("host again");
        Assert.True(_guest.Process.WaitForExit(LauncherProcess.Patience));
        Assert.Equal(0, _guest.Process.ExitCode);
    }

    /// <summary>What the guest was told is on the medium is there, whole, when its launcher is killed while it writes on.</summary>
    [KernelOnPciTheory(LaterKernels.InitrdVariable)]
    [MemberData(nameof(KernelsOnPci.WithEngines), MemberType = typeof(KernelsOnPci))]
    public void NothingAcknowledgedIsLostByKill(string engine, string kernel)
    {
        Start(engine, kernel);
        _guest!.Command($"{Mount} share /mnt; cd /mnt");
        _guest.Type("i=1000; while :; do yes $i | dd of=f$i bs=5000 count=4 iflag=fullblock conv=fsync 2>/dev/null && echo synced $i; i=$((i+1)); done");
        _guest.WaitFor("synced 1010");
        _guest.Kill();
        int synced = 0;
        foreach (string line in _guest.Output.ReplaceLineEndings("\n").Split('\n').Where(static line => line.Length == 11 && line.StartsWith("synced 1", StringComparison.Ordinal)))
        {
            string number = line[7..];
            string expected = string.Concat(Enumerable.Repeat(number + "\n", 4_000));
            Assert.Equal(expected, File.ReadAllText($"{_directory.Path}/share/f{number}"));
            synced++;
        }

        Assert.True(synced >= 10, $"{synced} lines");
    }

    private void Start(string engine, string kernel, params string[] options) => _guest = RunningGuest.Linux(
        [], kernel, ["--engine=" + engine, "--initrd=" + LaterKernels.Initrd, $"--share={_directory.Path}/share", .. options], "console=hvc0");
}
