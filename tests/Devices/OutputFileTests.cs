// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices;
using Lguest.Tests.Support;
using Mono.Unix.Native;

namespace Lguest.Tests.Devices;

/// <summary>Files that are written: never one that is something else, and nothing lost before something is written.</summary>
public sealed class OutputFileTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly FileClaims _claims = new();

    private string Path => System.IO.Path.Combine(_directory.Path, "out");

    /// <inheritdoc/>
    public void Dispose() => _directory.Dispose();

    [Fact]
    public void WhatIsThereStaysUntilTheFirstWrite()
    {
        _directory.File("out", [1, 2, 3, 4, 5, 6]);
        using (Open())
            Assert.Equal(6, new FileInfo(Path).Length);
        Assert.Equal([1, 2, 3, 4, 5, 6], File.ReadAllBytes(Path));
        using (OutputFile file = Open())
        {
            Assert.Equal((HostErrno)0, file.Write([7]));
            Assert.Equal((HostErrno)0, file.Write([8]));
            Assert.Equal((HostErrno)0, file.WriteAt([9], 3));
        }

        Assert.Equal([7, 8, 0, 9], File.ReadAllBytes(Path));
    }

    [Fact]
    public void WhatWasMadeAndNotUsedGoes()
    {
        using (Open())
            Assert.True(File.Exists(Path));
        Assert.False(File.Exists(Path));

        // Unless somebody else has used it.
        using (Open())
            File.WriteAllBytes(Path, [1]);
        Assert.Equal([1], File.ReadAllBytes(Path));
        File.Delete(Path);
        using (Open())
        {
            File.Delete(Path);
            File.WriteAllBytes(Path, []);
        }

        Assert.True(File.Exists(Path));
    }

    [Fact]
    public void WhatTheGuestLivesOnIsNotOverwritten()
    {
        string disk = _directory.File("disk", [1, 2]);
        _claims.AddDisk(disk, readOnly: true);
        Assert.Equal($"--report={disk} would overwrite this guest's disk image '{disk}'; name another file", Refusal(disk));

        // By way of a symbolic link, a hard link, another spelling.
        File.CreateSymbolicLink(Path, disk);
        Assert.Equal($"--report={Path} would overwrite this guest's disk image '{disk}'; name another file", Refusal(Path));
        string twin = System.IO.Path.Combine(_directory.Path, "twin");
        Assert.Equal(0, Syscall.link(disk, twin));
        Assert.Contains($"would overwrite this guest's disk image '{disk}'", Refusal(twin), StringComparison.Ordinal);
        Assert.Contains($"would overwrite this guest's disk image '{disk}'", Refusal(_directory.Path + "/./disk"), StringComparison.Ordinal);
        Assert.Equal([1, 2], File.ReadAllBytes(disk));
    }

    [Fact]
    public void AGuestMayNotWriteItsOwnKernel()
    {
        string kernel = _directory.File("kernel", [1]);
        _claims.AddInput("kernel", kernel);
        _claims.AddDisk(kernel, readOnly: true);
        Assert.Equal(
            $"--block={kernel} would let the guest overwrite its own kernel '{kernel}'; to read it only: --block={kernel},ro",
            Assert.Throws<DeviceException>(() => _claims.AddDisk(kernel, readOnly: false)).Message);
    }

    [Fact]
    public void TwoOutputsAreTwoFiles()
    {
        using (Open())
        {
            Assert.Equal($"--stats and --report both name the file '{Path}'; give each its own", Assert.Throws<DeviceException>(() => OutputFile.Open("--stats", "the statistics", Path, _claims)).Message);
            string twin = System.IO.Path.Combine(_directory.Path, "twin");
            File.CreateSymbolicLink(twin, Path);
            Assert.Equal($"--stats and --report both name the file '{twin}' (as '{Path}'); give each its own", Assert.Throws<DeviceException>(() => OutputFile.Open("--stats", "the statistics", twin, _claims)).Message);
        }

        using OutputFile free = OutputFile.Open("--stats", "the statistics", Path, _claims);

        // What keeps nothing may be used by all.
        using OutputFile one = OutputFile.Open("--stats", "the statistics", "/dev/null", _claims);
        using OutputFile two = OutputFile.Open("--report", "the report", "/dev/null", _claims);
        Assert.Equal((HostErrno)0, two.Write([1]));
    }

    [Theory]
    [InlineData("/nonexistent/x/y", "the folder '/nonexistent/x' does not exist; make it first, or name another")]
    [InlineData("/proc/version/y", "'/proc/version' is not a folder")]
    [InlineData("/proc", "it is a directory; name a file in it")]
    public void WhatCannotBeWrittenIsExplained(string path, string why) =>
        Assert.Equal($"cannot write the report to '{path}': {why}", Refusal(path));

    [Fact]
    public void AFullDiskIsAnErrorNumber()
    {
        using OutputFile full = Open("/dev/full");
        Assert.Equal(HostErrno.ENOSPC, full.Write([1]));
    }

    private string Refusal(string path) => Assert.Throws<DeviceException>(() => Open(path)).Message;

    private OutputFile Open(string? path = null) => OutputFile.Open("--report", "the report", path ?? Path, _claims);
}
