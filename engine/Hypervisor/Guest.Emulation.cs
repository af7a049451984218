// SPDX-License-Identifier: GPL-2.0-or-later
using Iced.Intel;
using Lguest.Engine.Cpu;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Debugging;
using Lguest.GuestAbi.Generations;
using Lguest.GuestAbi.Paging;

namespace Lguest.Engine.Hypervisor;

/// <summary>Instructions that a processor refuses to ring 1, and that its hypervisor carries out for it (abi.md §3.1, §4.8).</summary>
public sealed unsafe partial class Guest
{
    private const int LongestInstruction = 15;

    /// <summary>%cr0 as a processor has it that is in protected mode: NE, ET, MP and PE, not EM nor TS.</summary>
    private const uint FirstControlRegister0 = 0x33;

    /// <summary>Carries out the instruction that has raised an exception, if this is one that the guest's generation counts on.</summary>
    /// <returns>Whether that was done: else it is a trap.</returns>
    private bool TryEmulate(in CpuExit exit)
    {
        ProcessorRules rules = _abi.Processor;
        if (_cpu->Arch.Cpl != Selectors.GuestRing
            || !(exit.Vector == ExceptionVector.InvalidOpcode ? rules.HasVmcall : exit.Vector == ExceptionVector.GeneralProtection && rules.EmulatesPrivileged))
        {
            return false;
        }

        Instruction instruction = InstructionAt(_cpu->Arch.Cs.Base + _cpu->Arch.Eip);
        if (!Emulate(in instruction))
            return false;
        _cpu->Arch.Eip += (uint)instruction.Length;
        return true;
    }

    private bool Emulate(in Instruction instruction)
    {
        switch (instruction.Mnemonic)
        {
            case Mnemonic.Vmcall:
                _hypercallPending = true;
                return true;
            case Mnemonic.Cli:
                // A kernel that means it writes irq_enabled: this is an emulated cmpxchg8b, which goes on with popf at once.
                return true;
            case Mnemonic.Hlt when _data is { } data:
                if (data.TakesInterrupts)
                    _halted = true;
                else
                    Kill(GuestDeath.Halted);
                return true;
            default:
                // A kernel with a gate relies on the fault: it tries what there is. Before it has one the fault would be its end.
                return !_idt[ExceptionVector.GeneralProtection].Present && EmulateEarly(in instruction);
        }
    }

    /// <summary>What a decompressor and early code ask of a processor.</summary>
    private bool EmulateEarly(in Instruction instruction)
    {
        switch (instruction.Code)
        {
            case Code.Rdmsr:
                _cpu->Arch.Registers[(int)GeneralRegister.Eax] = 0;
                _cpu->Arch.Registers[(int)GeneralRegister.Edx] = 0;
                return true;
            case Code.Wrmsr:
                return true;
            case Code.Mov_r32_cr:
                // The others are asked for by a kernel that does not know yet who it is (3.18.140 remembers %cr4).
                _cpu->Arch.Registers[instruction.Op0Register - Register.EAX] = instruction.Op1Register == Register.CR0 ? FirstControlRegister0 : 0;
                return true;
            case Code.Mov_cr_r32 when instruction.Op0Register == Register.CR0:
                return true;
            default:
                return false;
        }
    }

    /// <summary>The instruction at a linear address, decoded from bytes that are read once; an invalid one when it cannot be read.</summary>
    private Instruction InstructionAt(uint linear)
    {
        byte[] bytes = new byte[LongestInstruction];
        int length = this.ReadLinear(linear, bytes);
        return Decoder.Create(32, new ByteArrayCodeReader(bytes, 0, length)).Decode();
    }
}
