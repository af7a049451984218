// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using System.Diagnostics;
using Lguest.Tests.Support;

namespace Lguest.Tests.Inspect;

/// <summary>What is left of a guest that died: the report on standard error, and the core.</summary>
public sealed class DeathTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [TheoryNeeding(Need.Launcher, Need.Guests)]
    [InlineData("interpreter")]
    [InlineData("translator")]
    public void ACrashIsReportedAboveItsReason(string engine)
    {
        ProcessResult result = LauncherProcess.Run("--engine=" + engine, "16m", Needs.Guest("demo"), "run=crash");
        Assert.Equal(1, result.Status);
        string[] expected =
        [
            "lguest: the guest died; what it left behind:", "  eip c0", "<crash+0x", "ring 1", "eflags 0000", "code:", "int $0x1f\n  => ",
            "stack:", "backtrace by frame pointers:", "  #0 ", "<guest_main+0x", "lguest: CRASH: the demo kernel was asked to crash",
        ];
        int at = 0;
        foreach (string text in expected)
        {
            int found = result.Error.IndexOf(text, at, StringComparison.Ordinal);
            Assert.True(found >= 0, $"no '{text}' behind character {at} of:\n{result.Error}");
            at = found;
        }

        Assert.EndsWith("lguest: CRASH: the demo kernel was asked to crash\n", result.Error, StringComparison.Ordinal);
    }

    /// <summary>
    /// The tour's bug: frame pointers lead through the trap to the code that caused it, also after a call that does not return, and
    /// instructions are counted only by an engine that counts them.
    /// </summary>
    [TheoryNeeding(Need.Launcher, Need.Guests)]
    [InlineData("interpreter")]
    [InlineData("translator")]
    public void TheCallsLeadToTheCause(string engine)
    {
        ProcessResult result = LauncherProcess.Run("note a\nnote b\nnote c\nnote d\nnote water\n", ["--engine=" + engine, "16m", Needs.Guest("demo")]);
        Assert.Equal(1, result.Status);
        string[] calls = [.. result.Error[result.Error.IndexOf("backtrace by frame pointers", StringComparison.Ordinal)..].Split('\n')
            .Where(static line => line.StartsWith("  #", StringComparison.Ordinal)).Select(static line => line[(line.IndexOf('<', StringComparison.Ordinal) + 1)..line.IndexOf('+', StringComparison.Ordinal)])];
        Assert.Equal(["crash", "trap_die", "trap_enter", "trap_common", "strlen", "format", "printf", "notes_show", "cmd_note"], calls[..9]);
        Assert.Equal("guest_main", calls[^3]);
        Assert.Equal(engine == "interpreter", result.Error.Contains(" instructions\n", StringComparison.Ordinal));
    }

    /// <summary>Without frame pointers: words on the stack that follow a call, and no others.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void OnlyWhatFollowsACallMayBeAReturnAddress()
    {
        // call 1f; 1: push $address of this very code, which follows no call; call *%eax with the address of int3, which nobody handles.
        byte[] code =
        [
            0xBC, 0x00, 0x00, 0x20, 0xC0,       // mov $0xC0200000,%esp
            0x31, 0xED,                         // xor %ebp,%ebp
            0x68, 0x23, 0x00, 0x10, 0xC0,       // push $0xC0100023
            0xE8, 0x00, 0x00, 0x00, 0x00,       // call the next instruction
            0xA1, 0x10, 0x00, 0x00, 0x00,       // mov 0x10,%eax: dies
        ];
        string kernel = _directory.File("kernel", TinyKernel.Elf(code));
        string map = _directory.File("map", "c0100000 T start\nc0100800 T end\n"u8.ToArray());
        ProcessResult result = LauncherProcess.Run("--symbols=" + map, "16m", kernel);
        Assert.Equal(1, result.Status);
        Assert.Contains("no frame pointers; on the stack, and perhaps return addresses:\n   ? c01000", result.Error, StringComparison.Ordinal);
        Assert.Equal(1, result.Error.Split("   ? ").Length - 1);
        Assert.DoesNotContain("? c0100023", result.Error, StringComparison.Ordinal);
    }

    [FactNeeding(Need.Launcher, Need.Guests)]
    public void AnUnhandledPageFaultShowsTheWalk()
    {
        // A kernel that touches address 16 before it has any gates.
        string kernel = _directory.File("kernel", TinyKernel.Elf(0xA1, 0x10, 0x00, 0x00, 0x00));
        ProcessResult result = LauncherProcess.Run("16m", kernel);
        Assert.Equal(1, result.Status);
        Assert.Contains("mov 0x10,%eax", result.Error, StringComparison.Ordinal);
        Assert.Contains("page walk of the faulting address: virtual 0x00000010", result.Error, StringComparison.Ordinal);
        Assert.Contains("not mapped", result.Error, StringComparison.Ordinal);
        Assert.EndsWith("(0x10)\n", result.Error, StringComparison.Ordinal);
    }

    [FactNeeding(Need.Launcher, Need.Guests)]
    public void AJumpToNowhereIsReportedToo()
    {
        // jmp *%eax with %eax = 0: there is no code to show, and no stack either.
        string kernel = _directory.File("kernel", TinyKernel.Elf(0xFF, 0xE0));
        ProcessResult result = LauncherProcess.Run("16m", kernel);
        Assert.Equal(1, result.Status);
        Assert.Contains("code: nothing is mapped at 00000000", result.Error, StringComparison.Ordinal);
        Assert.Contains("stack:\n  00000000 not mapped\n", result.Error, StringComparison.Ordinal);
    }

    [FactNeeding(Need.Launcher, Need.Guests)]
    public void APowerOffIsNoDeath()
    {
        string core = Path.Combine(_directory.Path, "core");
        ProcessResult result = LauncherProcess.Run("--coredump=" + core, "16m", Needs.Guest("conformance/hello"));
        Assert.Equal(0, result.Status);
        Assert.Equal("", result.Error);
        Assert.False(File.Exists(core));
    }

    [FactNeeding(Need.Launcher, Need.Guests)]
    public void TheCoreHoldsAllOfMemoryAndTheRegisters()
    {
        string core = Path.Combine(_directory.Path, "core");
        Assert.Equal(1, LauncherProcess.Run("--coredump=" + core, "16m", Needs.Guest("demo"), "run=crash").Status);
        using FileStream file = File.OpenRead(core);
        byte[] head = new byte[4096];
        file.ReadExactly(head);
        Assert.Equal("\u007fELF\u0001\u0001\u0001"u8.ToArray(), head[..7]);
        Assert.Equal(4, BinaryPrimitives.ReadUInt16LittleEndian(head.AsSpan(16)));
        Assert.Equal(3, BinaryPrimitives.ReadUInt16LittleEndian(head.AsSpan(18)));

        // RAM, the descriptor page, and the file's own first page or two.
        Assert.InRange(file.Length, (16 << 20) + 4096, (16 << 20) + (16 * 4096));
    }

    [FactNeeding(Need.Gdb, Need.Launcher, Need.Guests)]
    public void GdbOpensTheCore()
    {
        string core = Path.Combine(_directory.Path, "core");
        Assert.Equal(1, LauncherProcess.Run("--coredump=" + core, "16m", Needs.Guest("demo"), "run=note+one,crash").Status);
        using Process gdb = Process.Start(new ProcessStartInfo("gdb", ["-nx", "-q", "-batch", "-ex", "info registers eip", "-ex", "x/2xb $eip-2", "-ex", "print used", Needs.Guest("demo"), core])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        string output = gdb.StandardOutput.ReadToEnd();
        gdb.WaitForExit();
        Assert.Contains("<crash+", output, StringComparison.Ordinal);
        Assert.Contains("0xcd\t0x1f", output, StringComparison.Ordinal);
        Assert.Contains("$1 = ", output, StringComparison.Ordinal);
    }
}
