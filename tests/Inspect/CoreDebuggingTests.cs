// SPDX-License-Identifier: GPL-2.0-or-later
using Iced.Intel;
using Lguest.Engine.Cpu;
using Lguest.GuestAbi.Debugging;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Tests.Inspect;

/// <summary>Breakpoints, steps and watchpoints of a core, without a guest around it.</summary>
public sealed unsafe class CoreDebuggingTests
{
    private static readonly HashSet<uint> None = [];

    /// <summary>Instructions of one byte each: any address is one.</summary>
    private static void Increments(Assembler a)
    {
        for (int i = 0; i < 8; i++)
            a.inc(eax);
        a.@int(0x1F);
    }

    [Fact]
    public void ABreakpointStopsInTheMiddleOfABlockAndBeforeItsInstruction()
    {
        using DebugMachine machine = new(Increments);
        machine.Core.SetBreakpoints(new HashSet<uint> { DebugMachine.Code + 3 });
        CpuExit exit = machine.Run();
        Assert.Equal(ExitKind.Debug, exit.Kind);
        Assert.Equal(WatchKind.None, exit.Watch);
        Assert.Equal(DebugMachine.Code + 3, machine.Cpu->Arch.Eip);
        Assert.Equal(3u, machine.Eax);
        Assert.Equal(3ul, machine.Cpu->Instructions);

        // It stays there until somebody steps over it.
        Assert.Equal(ExitKind.Debug, machine.Run().Kind);
        Assert.Equal(3u, machine.Eax);
        Assert.Equal(ExitKind.Attention, machine.Core.Step().Kind);
        Assert.Equal(4u, machine.Eax);
        Assert.Equal(ExitKind.SoftwareInterrupt, machine.Run().Kind);
        Assert.Equal(8u, machine.Eax);
        Assert.Equal(9ul, machine.Cpu->Instructions);
    }

    [Fact]
    public void BreakpointsInBlocksDecodedBeforeAreSeenAndForgotten()
    {
        using DebugMachine machine = new(Increments);
        Assert.Equal(ExitKind.SoftwareInterrupt, machine.Run().Kind);
        machine.Core.SetBreakpoints(new HashSet<uint> { DebugMachine.Code, DebugMachine.Code + 7 });
        machine.Cpu->Arch.Eip = DebugMachine.Code;
        Assert.Equal(ExitKind.Debug, machine.Run().Kind);
        Assert.Equal(DebugMachine.Code, machine.Cpu->Arch.Eip);
        machine.Core.SetBreakpoints(None);
        Assert.Equal(ExitKind.SoftwareInterrupt, machine.Run().Kind);
    }

    [Fact]
    public void TheGuestCannotSeeABreakpoint()
    {
        using DebugMachine machine = new(static a =>
        {
            a.mov(eax, __dword_ptr[DebugMachine.Code]);
            a.@int(0x1F);
        });
        uint before = machine.Memory.ReadUInt32(DebugMachine.Code);
        machine.Core.SetBreakpoints(new HashSet<uint> { DebugMachine.Code + 1, DebugMachine.Code + 5 });
        Assert.Equal(ExitKind.Debug, machine.Run().Kind);
        Assert.Equal(before, machine.Eax);
    }

    [Fact]
    public void ABranchToABreakpointStopsToo()
    {
        using DebugMachine machine = new(static a =>
        {
            Label loop = a.CreateLabel();
            a.mov(ecx, 5);
            a.Label(ref loop);
            a.dec(ecx);
            a.jne(loop);
            a.@int(0x1F);
        });
        machine.Core.SetBreakpoints(new HashSet<uint> { DebugMachine.Code + 5 });
        for (uint left = 5; left > 0; left--)
        {
            Assert.Equal(ExitKind.Debug, machine.Run().Kind);
            Assert.Equal(left, machine.Cpu->Arch.Registers[(int)GeneralRegister.Ecx]);
            machine.Core.Step();
        }

        Assert.Equal(ExitKind.SoftwareInterrupt, machine.Run().Kind);
    }

    [Fact]
    public void AStepIsOneInstructionWhateverItDoes()
    {
        using DebugMachine machine = new(static a =>
        {
            Label next = a.CreateLabel();
            Label routine = a.CreateLabel();
            a.jmp(next);
            a.nop();
            a.Label(ref next);
            a.call(routine);
            a.@int(0x1F);
            a.Label(ref routine);
            a.push(ds);
            a.pop(ds);
            a.ret();
        });
        uint[] expected = [3, 10, 11, 12, 8];
        foreach (uint offset in expected)
        {
            Assert.Equal(ExitKind.Attention, machine.Core.Step().Kind);
            Assert.Equal(DebugMachine.Code + offset, machine.Cpu->Arch.Eip);
        }

        CpuExit exit = machine.Core.Step();
        Assert.Equal(ExitKind.SoftwareInterrupt, exit.Kind);
        Assert.Equal(0x1F, exit.Vector);
        Assert.Equal(6ul, machine.Cpu->Instructions);
    }

    [Fact]
    public void AStepThatFaultsStaysWhereItIs()
    {
        using DebugMachine machine = new(static a => a.mov(eax, __dword_ptr[0x300000]));
        CpuExit exit = machine.Core.Step();
        Assert.Equal(ExitKind.Exception, exit.Kind);
        Assert.Equal(14, exit.Vector);
        Assert.Equal(0x300000u, exit.FaultAddress);
        Assert.Equal(DebugMachine.Code, machine.Cpu->Arch.Eip);
    }

    public static TheoryData<string, WatchKind, bool> Accesses() => new()
    {
        { "mov [x], eax", WatchKind.Write, true },
        { "mov [x], eax", WatchKind.Read, false },
        { "mov eax, [x]", WatchKind.Read, true },
        { "mov eax, [x]", WatchKind.Write, false },
        { "add [x], eax", WatchKind.Write, true },
        { "add [x], eax", WatchKind.Read, true },
        { "push", WatchKind.Write, true },
        { "movsd", WatchKind.Write, true },
        { "movups", WatchKind.Write, true },
        { "mov [x+4], eax", WatchKind.Write, false },
        { "mov [x-3], eax", WatchKind.Write, true },
    };

    [Theory]
    [MemberData(nameof(Accesses))]
    public void AWatchpointStopsBehindTheAccessThatItIsFor(string access, WatchKind kind, bool stops)
    {
        const int watched = (int)DebugMachine.Data + 0x100;
        using DebugMachine machine = new(a =>
        {
            a.mov(eax, 0x1234);
            a.mov(edi, watched);
            a.mov(esi, watched + 0x800);
            switch (access)
            {
                case "mov [x], eax":
                    a.mov(__dword_ptr[watched], eax);
                    break;
                case "mov eax, [x]":
                    a.mov(eax, __dword_ptr[watched]);
                    break;
                case "add [x], eax":
                    a.add(__dword_ptr[watched], eax);
                    break;
                case "push":
                    a.lea(esp, __[edi + 4]);
                    a.push(eax);
                    break;
                case "movsd":
                    a.movsd();
                    break;
                case "movups":
                    a.movups(__xmmword_ptr[watched - 8], xmm0);
                    break;
                case "mov [x+4], eax":
                    a.mov(__dword_ptr[watched + 4], eax);
                    break;
                case "mov [x-3], eax":
                    a.mov(__dword_ptr[watched - 3], eax);
                    break;
            }

            a.inc(ebx);
            a.@int(0x1F);
        });
        machine.Core.SetWatchpoints([new Watchpoint((uint)watched, 4, kind)]);
        CpuExit exit = machine.Run();
        if (!stops)
        {
            Assert.Equal(ExitKind.SoftwareInterrupt, exit.Kind);
            return;
        }

        Assert.Equal(ExitKind.Debug, exit.Kind);
        Assert.Equal(kind, exit.Watch);
        Assert.Equal((uint)watched, exit.FaultAddress);

        // Behind the access: it has happened, and nothing behind it has.
        Assert.Equal(0u, machine.Cpu->Arch.Registers[(int)GeneralRegister.Ebx]);
        if (access == "mov [x], eax" || access == "add [x], eax" || access == "push")
            Assert.Equal(0x1234u, machine.Memory.ReadUInt32((uint)watched));
        Assert.Equal(ExitKind.SoftwareInterrupt, machine.Run().Kind);
        Assert.Equal(1u, machine.Cpu->Arch.Registers[(int)GeneralRegister.Ebx]);
    }

    [Fact]
    public void ALongCopyIsStoppedWhereItReachesTheWatchedWord()
    {
        const uint watched = DebugMachine.Data + 0x40;
        using DebugMachine machine = new(static a =>
        {
            a.mov(edi, (int)DebugMachine.Data);
            a.mov(ecx, 0x100);
            a.mov(eax, 0x55);
            a.rep.stosd();
            a.@int(0x1F);
        });
        machine.Core.SetWatchpoints([new Watchpoint(watched, 4, WatchKind.Write)]);
        CpuExit exit = machine.Run();
        Assert.Equal(ExitKind.Debug, exit.Kind);
        Assert.Equal(watched + 4, machine.Cpu->Arch.Registers[(int)GeneralRegister.Edi]);
        Assert.Equal(0x55u, machine.Memory.ReadUInt32(watched));
        Assert.Equal(0u, machine.Memory.ReadUInt32(watched + 4));
        Assert.Equal(ExitKind.SoftwareInterrupt, machine.Run().Kind);
        Assert.Equal(0x55u, machine.Memory.ReadUInt32(DebugMachine.Data + 0x3FC));
    }
}
