// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using Lguest.Tests.Support;

namespace Lguest.Tests.Sandbox;

/// <summary>A sealed launcher serves its share, and whoever gets out of the engine reaches nothing but the share.</summary>
public sealed class SealedShareTests : IDisposable
{
    private const string Secret = "nobody's business";

    private readonly TemporaryDirectory _directory = new();

    public SealedShareTests()
    {
        _directory.File("secret", System.Text.Encoding.UTF8.GetBytes(Secret));
        Directory.CreateDirectory(_directory.Path + "/share/inner");
        _directory.File("share/file", [1]);
        _directory.File("share/inner/deep", "deep content"u8.ToArray());
        File.CreateSymbolicLink(_directory.Path + "/share/link", "../secret");
    }

    /// <inheritdoc/>
    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("rw")]
    [InlineData(SealedShare.ReadOnly)]
    public void AShareIsServedAndNothingElse(string access)
    {
        string secret = _directory.Path + "/secret";
        (UnixFileMode, DateTime) before = (File.GetUnixFileMode(secret), File.GetLastWriteTimeUtc(secret));
        ProcessResult result = ChildProgram.Run(nameof(SealedShare), _directory.Path, access);
        Assert.Equal((0, string.Empty), (result.Status, result.Error));
        string[] tried = [.. result.Output.Split('\n').Where(static line => line.StartsWith("tried: ", StringComparison.Ordinal))];
        Assert.True(tried.Length >= 11, result.Output);
        Assert.All(tried, static line => Assert.Contains(int.Parse(line[(line.LastIndexOf(':') + 1)..], CultureInfo.InvariantCulture), (int[])[-1, -13, -18, -38]));

        // These the filter lets through: what they are told to do is what keeps them in the folder, whether or not there is Landlock.
        Assert.All(tried.Where(static line => line.Contains("openat2 upwards", StringComparison.Ordinal) || line.Contains("openat2 absolute", StringComparison.Ordinal)), static line => Assert.EndsWith(": -18", line, StringComparison.Ordinal));
        Assert.Equal(["secret", "share"], Directory.GetFileSystemEntries(_directory.Path).Select(Path.GetFileName).Order());
        Assert.Equal(Secret, File.ReadAllText(secret));
        Assert.Equal(before, (File.GetUnixFileMode(secret), File.GetLastWriteTimeUtc(secret)));
        string[] left = access == SealedShare.ReadOnly ? ["file", "inner", "link"] : ["inner", "link", "link2", "new"];
        Assert.Equal(left, Directory.GetFileSystemEntries(_directory.Path + "/share").Select(Path.GetFileName).Order());
        Assert.Equal(access == SealedShare.ReadOnly ? "deep content" : "deep", File.ReadAllText(_directory.Path + "/share/inner/deep"));
    }
}
