// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using Lguest.Tests.Support;
using Xunit;

namespace Lguest.Tests.WholeSystem;

/// <summary>The demo guest's shell, typed at through a terminal, as a newcomer does in the first minute.</summary>
public sealed class DemoShellTests : IDisposable
{
    private const string Prompt = "demo> ";

    private readonly PseudoTerminal _terminal = new();
    private readonly TemporaryDirectory _directory = new();

    /// <inheritdoc/>
    public void Dispose()
    {
        _terminal.Dispose();
        _directory.Dispose();
    }

    /// <summary>Help, some commands, off.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void AFirstMinute()
    {
        Start();
        Command("help", "this list");
        Command("echo to be or not", "to be or not");
        Command("user", Prompt);
        Command("fault", Prompt);
        Command("devices", "console");
        _terminal.Type("off\r");
        Assert.Equal(0, _terminal.WaitForExit());
        Assert.Equal(_terminal.Before, _terminal.Settings);
        Assert.Equal(string.Empty, _terminal.Error);
    }

    /// <summary>A sector written by the guest is in the file when the launcher has ended, and nothing else has changed.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void ASectorReachesTheFile()
    {
        byte[] before = new byte[64 * 512];
        new Random(3).NextBytes(before);
        string disk = _directory.File("disk.img", before);
        Start($"--block={disk}");
        Command("write 5 puppies", Prompt);
        Command("read 5", "puppies");
        _terminal.Type("off\r");
        Assert.Equal(0, _terminal.WaitForExit());
        byte[] after = File.ReadAllBytes(disk);
        Assert.Contains("puppies", Encoding.Latin1.GetString(after, 5 * 512, 512), StringComparison.Ordinal);
        Assert.Equal(before.AsSpan(0, 5 * 512), after.AsSpan(0, 5 * 512));
        Assert.Equal(before.AsSpan(6 * 512), after.AsSpan(6 * 512));
    }

    /// <summary>With an overlay the file stays as it is, though nobody may write it; the next guest finds what the last one wrote.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void ASectorReachesTheOverlay()
    {
        byte[] before = new byte[64 * 512];
        new Random(3).NextBytes(before);
        string disk = _directory.File("disk.img", before);
        File.SetUnixFileMode(disk, UnixFileMode.UserRead);
        string overlay = Path.Combine(_directory.Path, "over");
        Start($"--block={disk},overlay={overlay}", $"--block={disk},snapshot");
        Command("write 5 puppies", Prompt);
        _terminal.Type("reboot\r");
        _terminal.WaitFor(Prompt);
        Command("read 5", "puppies");
        _terminal.Type("off\r");
        Assert.Equal(0, _terminal.WaitForExit());
        Assert.Equal(string.Empty, _terminal.Error);
        Assert.Equal(before, File.ReadAllBytes(disk));
        byte[] sector = before[(5 * 512)..(6 * 512)];
        ProcessResult next = LauncherProcess.Run("read 5\roff\r", [$"--block={disk},overlay={overlay}", "16m", Needs.Guest("demo")]);
        Assert.Equal((0, string.Empty), (next.Status, next.Error));
        Assert.Contains("puppies", next.Output, StringComparison.Ordinal);
        Assert.DoesNotContain(Encoding.Latin1.GetString(sector, 0, 8), next.Output, StringComparison.Ordinal);
    }

    /// <summary>A guest that crashes gives its reason.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void ACrashHasItsReason()
    {
        Start();
        _terminal.Type("crash the cat sat on the keyboard\r");
        Assert.Equal(1, _terminal.WaitForExit());
        Assert.EndsWith("lguest: CRASH: the cat sat on the keyboard\n", _terminal.Error, StringComparison.Ordinal);
        Assert.Equal(_terminal.Before, _terminal.Settings);
    }

    /// <summary>A restart starts over from the kernel image, with the same disk, and a terminal that still works.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void ARestartStartsOver()
    {
        string disk = _directory.File("disk.img", new byte[64 * 512]);
        Start($"--block={disk}");
        Command("write 1 still here", Prompt);
        _terminal.Type("reboot\r");
        _terminal.WaitFor(Prompt);
        Command("read 1", "still here");
        _terminal.Type("off\r");
        Assert.Equal(0, _terminal.WaitForExit());
        Assert.Equal(_terminal.Before, _terminal.Settings);
    }

    /// <summary>With --no-reboot a restart is a good end.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void WithNoRebootARestartIsTheEnd()
    {
        Start("--no-reboot");
        _terminal.Type("reboot\r");
        Assert.Equal(0, _terminal.WaitForExit());
        Assert.Equal(_terminal.Before, _terminal.Settings);
    }

    /// <summary>More memory than its linear map can hold: it uses what it can, and says so.</summary>
    [TheoryNeeding(Need.Launcher, Need.Guests)]
    [InlineData("1000m")]
    [InlineData("1g")]
    [InlineData("2g")]
    [InlineData("4095m")]
    public void ALotOfMemory(string memory)
    {
        ProcessResult result = LauncherProcess.Run(memory, Needs.Guest("demo"), "run=mem,fault,user,off");
        Assert.Equal((0, string.Empty), (result.Status, result.Error));
        Assert.Contains("(This kernel maps the first 992 MiB, and leaves the rest alone.)", result.Output, StringComparison.Ordinal);
        Assert.Contains("address 0badbeef: read by the kernel of an absent page", result.Output, StringComparison.Ordinal);
        Assert.Contains("none of which the host noticed", result.Output, StringComparison.Ordinal);
    }

    /// <summary>A line up to its limit, more than that, the line before once more, and what people type to leave.</summary>
    [TheoryNeeding(Need.Launcher, Need.Guests)]
    [InlineData("exit")]
    [InlineData("quit")]
    public void LongLinesAndLeaving(string leave)
    {
        string whole = new('x', 506);
        ProcessResult result = LauncherProcess.Run($"echo {whole}\necho {whole}yz\n?\necho once\n\u001b[A more\n{leave}\n", ["16m", Needs.Guest("demo")]);
        Assert.Equal((0, string.Empty), (result.Status, result.Error));
        Assert.Equal(4, result.Output.Split(whole).Length - 1);
        Assert.Contains("(a line has at most 511 characters; the last 2 are left out)", result.Output, StringComparison.Ordinal);
        Assert.Contains("this list", result.Output, StringComparison.Ordinal);
        Assert.Contains("\nonce more\n", result.Output, StringComparison.Ordinal);
        Assert.EndsWith("Good-bye.\n", result.Output, StringComparison.Ordinal);
    }

    /// <summary>The same through pipes, all input at once, from a bzImage: nothing is lost, and the end of input is not the guest's.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void PipesWorkToo()
    {
        StringBuilder input = new();
        for (int i = 0; i < 400; i++)
            input.Append($"echo line {i} of many\n");
        input.Append("off\n");
        ProcessResult result = LauncherProcess.Run(input.ToString(), ["16m", Needs.Guest("demo-bzimage")]);
        Assert.Equal(0, result.Status);
        for (int i = 0; i < 400; i++)
            Assert.Contains($"\nline {i} of many\r\n", result.Output.Replace("\r\r", "\r", StringComparison.Ordinal).Replace("\r\n", "\n", StringComparison.Ordinal).Replace("\n", "\r\n", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.Equal(string.Empty, result.Error);
    }

    /// <summary>A guest that waits uses no processor time.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void AWaitingGuestUsesNoTime()
    {
        Start();
        Command("echo ready", "ready");
        _terminal.WaitFor(Prompt);
        Tries.Below(100, "milliseconds of processor time in one second", () =>
        {
            TimeSpan before = _terminal.ProcessorTime;
            Thread.Sleep(1000);
            return (_terminal.ProcessorTime - before).TotalMilliseconds;
        });
    }

    private void Start(params string[] options)
    {
        _terminal.Start([.. options, "16m", Needs.Guest("demo")]);
        _terminal.WaitFor(Prompt);
    }

    private void Command(string command, string answer)
    {
        _terminal.Type(command + "\r");

        // The echo first: the answer comes behind it.
        _terminal.WaitFor(command);
        _terminal.WaitFor(answer);
    }
}
