// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using static Tmds.Linux.LibC;

namespace Lguest.Launcher.Sandbox;

/// <summary>
/// A program for the kernel's system call filter (seccomp(2), classic BPF) that allows what the table lists. A call that is not
/// listed fails with EPERM; one of those added since 2019 fails with ENOSYS, as on an older kernel, so that libraries use the
/// call they used before. A call of another architecture (int 0x80, x32) ends the process: no code of ours makes one.
/// </summary>
internal static unsafe class SeccompFilter
{
    /// <summary>System calls from this number on (pidfd_send_signal, 2019) are not said to be forbidden but not to exist.</summary>
    public const int FirstRecent = 424;

    private const uint Architecture = 0xC000003E;
    private const uint X32Bit = 0x4000_0000;

    // Offsets in struct seccomp_data.
    private const uint NumberOffset = 0;
    private const uint ArchitectureOffset = 4;
    private const uint ArgumentsOffset = 16;

    private const ushort Load = 0x20;
    private const ushort And = 0x54;
    private const ushort JumpIfEqual = 0x15;
    private const ushort JumpIfAtLeast = 0x35;
    private const ushort Return = 0x06;

    private const uint Allow = 0x7FFF_0000;
    private const uint Kill = 0x8000_0000;
    private const uint Fail = 0x0005_0000;

    private const int SetFilter = 1;
    private const int AllThreads = 1;

    /// <summary>The program.</summary>
    public static FilterInstruction[] Make(SealNeeds needs)
    {
        const int Enough = 512;
        List<FilterInstruction> program = new(Enough)
        {
            new(Load, 0, 0, ArchitectureOffset),
            new(JumpIfEqual, 1, 0, Architecture),
            new(Return, 0, 0, Kill),
            new(Load, 0, 0, NumberOffset),
            new(JumpIfAtLeast, 0, 1, X32Bit),
            new(Return, 0, 0, Kill),
        };
        foreach (AllowedCall call in SystemCallTable.All)
        {
            List<FilterInstruction> body = Body(call, needs);
            program.Add(new FilterInstruction(JumpIfEqual, 0, checked((byte)body.Count), (uint)call.Number));
            program.AddRange(body);
        }

        program.Add(new FilterInstruction(JumpIfAtLeast, 0, 1, FirstRecent));
        program.Add(new FilterInstruction(Return, 0, 0, Fail | (uint)ENOSYS));
        program.Add(new FilterInstruction(Return, 0, 0, Fail | (uint)EPERM));
        return program.ToArray();
    }

    /// <summary>Puts it in front of every system call of every thread. The caller has no_new_privs.</summary>
    /// <returns>0; a negative error number; or the number of a thread that cannot have it.</returns>
    public static long Install(FilterInstruction[] program)
    {
        fixed (FilterInstruction* instructions = program)
        {
            FilterProgram header = new() { Length = checked((ushort)program.Length), Instructions = instructions };
            return SandboxCalls.Call(SandboxCalls.Seccomp, SetFilter, AllThreads, (nint)(&header));
        }
    }

    /// <summary>What is done once the number is that of the call: it ends with a verdict in any case.</summary>
    private static List<FilterInstruction> Body(AllowedCall call, SealNeeds needs)
    {
        List<FilterInstruction> body = [];
        if (call.Tests is not { } tests)
        {
            body.Add(new FilterInstruction(Return, 0, 0, Allow));
            return body;
        }

        foreach (ArgumentTest[] alternative in tests(needs))
        {
            for (int i = 0; i < alternative.Length; i++)
            {
                // A test that fails goes on after this alternative: past the tests that follow, and past its verdict.
                const int InstructionsPerTest = 3;
                byte skipped = checked((byte)((InstructionsPerTest * (alternative.Length - 1 - i)) + 1));
                ArgumentTest test = alternative[i];
                body.Add(new FilterInstruction(Load, 0, 0, ArgumentsOffset + (sizeof(uint) * (uint)test.Word)));
                body.Add(new FilterInstruction(And, 0, 0, test.Mask));
                body.Add(test.Comparison switch
                {
                    ArgumentComparison.AtLeast => new FilterInstruction(JumpIfAtLeast, 0, skipped, test.Value),
                    ArgumentComparison.Below => new FilterInstruction(JumpIfAtLeast, skipped, 0, test.Value),
                    _ => new FilterInstruction(JumpIfEqual, 0, skipped, test.Value),
                });
            }

            body.Add(new FilterInstruction(Return, 0, 0, Allow));
        }

        body.Add(new FilterInstruction(Return, 0, 0, Fail | (uint)(call.Number >= FirstRecent ? ENOSYS : EPERM)));
        return body;
    }

    /// <summary>struct sock_fprog.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct FilterProgram
    {
        public ushort Length;
        public FilterInstruction* Instructions;
    }
}

/// <summary>struct sock_filter: one instruction of classic BPF.</summary>
/// <param name="Code">What it does.</param>
/// <param name="IfTrue">Instructions to skip when a comparison holds.</param>
/// <param name="IfFalse">Instructions to skip when it does not.</param>
/// <param name="Value">Its constant.</param>
[StructLayout(LayoutKind.Sequential)]
internal readonly record struct FilterInstruction(ushort Code, byte IfTrue, byte IfFalse, uint Value);
