// SPDX-License-Identifier: GPL-2.0-or-later
using Iced.Intel;
using Lguest.Engine.Cpu;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Generations;
using unsafe Handler = delegate*<Lguest.Engine.Interpreter.InterpreterCore, Lguest.Engine.Cpu.CpuState*, Lguest.Engine.Interpreter.MicroOp*, Lguest.Engine.Interpreter.MicroOp*>;

namespace Lguest.Engine.Interpreter;

/// <summary>Interrupts, ports, CPUID, and what is privileged.</summary>
internal static unsafe class SystemOps
{
    private const uint KeyboardController = 0x64;
    private const byte PulseReset = 0xFE;

    // What SGDT and SIDT show: tables in the host's part of the address space, as long as the processor's own are.
    private const int TableRegisterBytes = 6;
    private const uint GdtAddress = 0xFFC0_0000;
    private const uint GdtBytes = 0x100;
    private const uint IdtAddress = 0xFFC0_1000;
    private const uint IdtBytes = 0x800;

    /// <summary>%cr0 as SMSW shows it: PG, AM, WP, NE, ET, MP and PE.</summary>
    private const uint ControlRegister0 = 0x8005_0033;

    /// <summary>TS in %cr0.</summary>
    private const uint TaskSwitchedBit = 8;

    /// <summary>INT n: what it means is the hypervisor's business.</summary>
    public static MicroOp* Interrupt(InterpreterCore core, CpuState* cpu, MicroOp* op) =>
        core.Exit(ExitKind.SoftwareInterrupt, op->NextEip, op, (byte)op->Immediate);

    /// <summary>INT1 (ICEBP): a debug trap that asks for no privilege.</summary>
    public static MicroOp* DebugTrap(InterpreterCore core, CpuState* cpu, MicroOp* op) =>
        core.Exit(ExitKind.Exception, op->NextEip, op, ExceptionVector.Debug);

    /// <summary>INTO.</summary>
    public static MicroOp* InterruptOnOverflow(InterpreterCore core, CpuState* cpu, MicroOp* op) =>
        LazyFlags.Overflow(cpu->Arch.FlagAux) ? core.Exit(ExitKind.SoftwareInterrupt, op->NextEip, op, ExceptionVector.Overflow) : op + 1;

    /// <summary>BOUND.</summary>
    public static MicroOp* Bound<TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TWidth : struct, IWidth
    {
        uint address = Operand.Address(cpu, op);
        int index = TWidth.Extend(Operand.Get<TWidth>(cpu, op->Destination));
        int lower = TWidth.Extend(core.ReadLinear<TWidth>(cpu, address));
        if (index < lower)
            throw core.Raise(ExceptionVector.BoundRange); // the upper bound is not even looked at
        int upper = TWidth.Extend(core.ReadLinear<TWidth>(cpu, address + (uint)TWidth.Size));
        return index > upper ? throw core.Raise(ExceptionVector.BoundRange) : op + 1;
    }

    /// <summary>An exception with error code 0: #UD for UD2 and what is no instruction, #GP for privileged instructions.</summary>
    public static MicroOp* Raise(InterpreterCore core, CpuState* cpu, MicroOp* op) => core.RaiseQuietly(op, (byte)op->Immediate);

    /// <summary>IN at ring 1. Ones in the operand's own width where nobody answers on the bus (abi.md §4.8).</summary>
    public static MicroOp* In<TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TWidth : struct, IWidth
    {
        ushort port = Port(cpu, op);
        uint value = uint.MaxValue;
        if (core.Devices is not { } devices || !devices.TryIn(port, TWidth.Size, out value))
            value = core.Rules.HasBoardPorts && BoardPorts.TryRead(port, out uint answer) ? answer : uint.MaxValue;

        Operand.Set<TWidth>(cpu, GeneralRegister.Eax, value);
        return Next(core, cpu, op);
    }

    /// <summary>OUT at ring 1: vanishes, but for the pulse on the PC's reset line that ends Linux's reboot.</summary>
    public static MicroOp* Out<TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TWidth : struct, IWidth
    {
        ushort port = Port(cpu, op);
        if (core.Devices is { } devices && devices.TryOut(port, TWidth.Size, Operand.Get<TWidth>(cpu, GeneralRegister.Eax)))
            return Next(core, cpu, op);
        return port == KeyboardController && *(byte*)cpu->Arch.Registers == PulseReset
            ? core.Exit(ExitKind.Reset, op->NextEip, op)
            : op + 1;
    }

    /// <summary>On after a device was asked: it may have raised an irq, and the guest is to come out for that here.</summary>
    private static MicroOp* Next(InterpreterCore core, CpuState* cpu, MicroOp* op) =>
        core.Devices is null || cpu->Attention == 0 ? op + 1 : InterpreterCore.JumpTo(cpu, op->NextEip, op->Position + 1);

    private static ushort Port(CpuState* cpu, MicroOp* op) =>
        (ushort)(op->Extra != 0 ? op->Immediate & 0xFF : cpu->Arch.Registers[(int)GeneralRegister.Edx]);

    /// <summary>
    /// MOV from %dr6 at ring 1. Linux asks it in its debug trap what the trap was for; with a fault for an answer, as the genuine
    /// hypervisor gives, a program that somebody steps through (gdb, ptrace) takes its kernel down. The other debug registers stay
    /// privileged: Linux 2.6.23 as a guest writes none and reads only this one.
    /// </summary>
    public static MicroOp* ReadDebugStatus(InterpreterCore core, CpuState* cpu, MicroOp* op)
    {
        Operand.Set<Width32>(cpu, op->Destination, DebugStatus.Reserved | cpu->Arch.SingleStepped);
        return op + 1;
    }

    /// <summary>RDTSC: the counter of the guest's own time, at the pace that lguest_data.tsc_khz says.</summary>
    public static MicroOp* ReadTimeStamp(InterpreterCore core, CpuState* cpu, MicroOp* op)
    {
        ulong now = core.Clock.Tsc;
        cpu->Arch.Registers[(int)GeneralRegister.Eax] = (uint)now;
        cpu->Arch.Registers[(int)GeneralRegister.Edx] = (uint)(now >> 32);
        return op + 1;
    }

    public static MicroOp* CpuId(InterpreterCore core, CpuState* cpu, MicroOp* op)
    {
        CpuIdentity.Query(
            cpu->Arch.Cpl == Selectors.UserRing ? core.Rules.Program : core.Rules.Kernel,
            ref cpu->Arch.Registers[(int)GeneralRegister.Eax],
            out cpu->Arch.Registers[(int)GeneralRegister.Ebx],
            out cpu->Arch.Registers[(int)GeneralRegister.Ecx],
            out cpu->Arch.Registers[(int)GeneralRegister.Edx]);
        return op + 1;
    }

    /// <summary>SGDT, SIDT (<see cref="MicroOp.Extra"/> = 1): not privileged; the tables are in the host's part of the address space.</summary>
    public static MicroOp* StoreTable(InterpreterCore core, CpuState* cpu, MicroOp* op)
    {
        uint address = Operand.Address(cpu, op);
        core.ProbeWrite(address, TableRegisterBytes);
        core.WriteLinear<Width16>(cpu, address, (op->Extra != 0 ? IdtBytes : GdtBytes) - 1);
        core.WriteLinear<Width32>(cpu, address + sizeof(ushort), op->Extra != 0 ? IdtAddress : GdtAddress);
        return op + 1;
    }

    /// <summary>CLTS and the like are the hypervisor's; SMSW only tells: PE, MP, ET, NE, and TS as it is.</summary>
    public static MicroOp* PrepareMachineStatus(InterpreterCore core, CpuState* cpu, MicroOp* op)
    {
        cpu->Interpreter.EffectiveAddress = ControlRegister0 | (cpu->Arch.TaskSwitched != 0 ? TaskSwitchedBit : 0);
        return op + 1;
    }
}

/// <summary>Which of them an instruction gets.</summary>
internal sealed unsafe partial class InstructionSelector
{
    /// <summary>Interrupts, ports, and what the processor reports of itself.</summary>
    private Handler SelectSystem(in Instruction i)
    {
        switch (i.Mnemonic)
        {
            case Mnemonic.Int:
                _proto.Immediate = i.Immediate8;
                return Ends(&SystemOps.Interrupt);
            case Mnemonic.Int3:
                _proto.Immediate = ExceptionVector.Breakpoint;
                return Ends(&SystemOps.Interrupt);
            case Mnemonic.Int1:
                return Ends(&SystemOps.DebugTrap);
            case Mnemonic.Into:
                return &SystemOps.InterruptOnOverflow;
            case Mnemonic.Bound:
                _proto.Destination = Offset(i.Op0Register);
                Memory(in i, Width(in i, 0) * 2, write: false);
                return Width(in i, 0) == 2 ? &SystemOps.Bound<Width16> : &SystemOps.Bound<Width32>;
            case Mnemonic.In:
                if (!Kernel)
                    return Privileged();
                Port(in i, 1);
                return i.Op0Register switch
                {
                    Register.AL => &SystemOps.In<Width8>,
                    Register.AX => &SystemOps.In<Width16>,
                    _ => &SystemOps.In<Width32>,
                };
            case Mnemonic.Out:
                if (!Kernel)
                    return Privileged();
                Port(in i, 0);
                return i.Op1Register switch
                {
                    Register.AL => &SystemOps.Out<Width8>,
                    Register.AX => &SystemOps.Out<Width16>,
                    _ => &SystemOps.Out<Width32>,
                };
            case Mnemonic.Rdtsc:
                return &SystemOps.ReadTimeStamp;
            case Mnemonic.Cpuid:
                return &SystemOps.CpuId;
            case Mnemonic.Sgdt:
            case Mnemonic.Sidt:
                _proto.Extra = i.Mnemonic == Mnemonic.Sidt ? (byte)1 : (byte)0;
                Memory(in i, 6, write: true);
                return &SystemOps.StoreTable;
            case Mnemonic.Smsw:
                return MachineStatus(in i);
            default:
                return null;
        }
    }

    /// <summary>The port is a byte of the instruction, or %dx.</summary>
    private void Port(in Instruction i, int operand)
    {
        bool isByte = i.GetOpKind(operand) == OpKind.Immediate8;
        _proto.Extra = isByte ? (byte)1 : (byte)0;
        _proto.Immediate = isByte ? i.Immediate8 : 0u;
    }

    private Handler MachineStatus(in Instruction i)
    {
        if (IsMemory(in i, 0))
        {
            // The value has to wait in the place of the address: worked out first, stored last.
            Memory(in i, 2, write: true);
            _proto.Source = Operand.FirstRegister;
            return &FloatOps.StoreMachineStatus;
        }

        MicroOp prepare = _proto;
        prepare.Handler = &SystemOps.PrepareMachineStatus;
        *_op++ = prepare;
        _proto.Source = Operand.EffectiveAddress;
        _proto.Destination = Offset(i.Op0Register);
        return Width(in i, 0) == 2 ? &MoveOps.ToReg<FromRegister, Width16> : &MoveOps.ToReg<FromRegister, Width32>;
    }
}
