// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using Lguest.Tests.Support;

namespace Lguest.Tests.Sandbox;

/// <summary>Somebody who got out of the engine opens, connects to and runs nothing, whatever the launcher's options are.</summary>
public sealed class EscapeTests : IDisposable
{
    private const int SignalBase = 128;
    private const int BadSystemCall = 31;
    private const long EPERM = -1;
    private const long EACCES = -13;
    private const long ENOSYS = -38;

    private readonly TemporaryDirectory _directory = new();

    public EscapeTests() => _directory.File("victim", [1, 2, 3]);

    public void Dispose() => _directory.Dispose();

    [TheoryNeeding(Need.Guests)]
    [InlineData("")]
    [InlineData("--engine=interpreter")]
    [InlineData("--control=unix:DIR/own/c --gdb=unix:DIR/own/g --trace=all,file=DIR/own/t --coredump=DIR/own/core --report=DIR/own/r")]
    [InlineData("--sharenet=DIR/own/lan --block=DIR/own/disk --pcap=DIR/own/p")]
    public void NothingCanBeDone(string options)
    {
        ProcessResult result = Run("all", options);
        string[] lines = Answers(result);
        Assert.Equal(2 * ForbiddenCall.All(_directory.Path, 1).Count, lines.Length);
        foreach (string line in lines)
            Assert.True(ResultOf(line) is EPERM or EACCES or ENOSYS, line);
        Assert.Equal(new byte[] { 1, 2, 3 }, File.ReadAllBytes(_directory.Path + "/victim"));
        Assert.True(File.Exists(_directory.Path + "/own/disk"));

        // And the guest runs as if nothing had been tried.
        Assert.Contains("1 passed, 0 failed", result.Output, StringComparison.Ordinal);
        Assert.Equal(0, result.Status);
    }

    /// <summary>The same calls without the sandbox: so it is the sandbox that refuses them.</summary>
    [FactNeeding(Need.Guests)]
    public void WithoutTheSandboxMuchCanBeDone()
    {
        ProcessResult result = Run("harmless", "--sandbox=off");
        Assert.All(
            Answers(result).Where(static line => line.Contains("read a file", StringComparison.Ordinal) || line.Contains("socket", StringComparison.Ordinal) || line.Contains("signal", StringComparison.Ordinal) || line.Contains("writable code", StringComparison.Ordinal)),
            static line => Assert.True(ResultOf(line) >= 0 || ResultOf(line) < -4095, line));
        Assert.Equal(0, new FileInfo(_directory.Path + "/victim").Length);
    }

    [TheoryNeeding(Need.Guests)]
    [InlineData("32")]
    [InlineData("64")]
    public void ACallOfAnotherArchitectureEndsTheProcess(string which)
    {
        ProcessResult result = Run(which, string.Empty);
        Assert.Equal(SignalBase + BadSystemCall, result.Status);
        Assert.DoesNotContain("lived on", result.Output, StringComparison.Ordinal);
    }

    private ProcessResult Run(string what, string options)
    {
        Directory.CreateDirectory(_directory.Path + "/own");
        File.WriteAllBytes(_directory.Path + "/own/disk", new byte[4096]);
        string[] words = options.Replace("DIR", _directory.Path, StringComparison.Ordinal).Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return ChildProgram.Run([nameof(Prisoner), _directory.Path, Environment.ProcessId.ToString(CultureInfo.InvariantCulture), what, .. words, "16m", Needs.Guest("conformance/hello")]);
    }

    private static string[] Answers(ProcessResult result) =>
        [.. result.Output.Split('\n').Where(static line => line.StartsWith("guest: ", StringComparison.Ordinal) || line.StartsWith("bystander: ", StringComparison.Ordinal))];

    private static long ResultOf(string line) => long.Parse(line[(line.LastIndexOf(':') + 1)..], CultureInfo.InvariantCulture);
}
