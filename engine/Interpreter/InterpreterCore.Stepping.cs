// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Cpu;
using Lguest.Engine.Memory;

namespace Lguest.Engine.Interpreter;

/// <summary>Told of code that another engine has derived from guest memory, and of writes to it.</summary>
internal interface IForeignCode
{
    /// <summary>Whether anything was derived from this frame.</summary>
    bool HasCode(uint physical);

    /// <summary>Somebody is about to write these bytes, all of one page.</summary>
    void WillChange(uint physical, int size);

    /// <summary>The interpreter has decoded something of this frame: from now on it must see who writes there.</summary>
    void Decoded(uint frame);

    /// <summary>Ring 3 has come to a page that the interpreter's table did not have.</summary>
    void Touched(uint page);

    /// <summary>The interpreter reaches into a page that other processes can write.</summary>
    /// <returns>Whether to tell each time; else the page may be remembered as any other.</returns>
    bool ReachesForeign() => false;

    /// <summary>A page was looked up in the guest's tables, which may have had nothing for it.</summary>
    /// <param name="linear">An address in it.</param>
    void Walked(uint linear)
    {
    }

    /// <summary>A page table entry was marked as used or written on the way.</summary>
    /// <param name="physical">Where it is.</param>
    /// <param name="before">What it was.</param>
    void EntryMarked(uint physical, uint before)
    {
    }
}

/// <summary>
/// The interpreter inside another engine: it executes single instructions, or runs for a while, on the same registers. Both
/// tell each other where they have code of the guest's, so that a write is seen by whichever has it.
/// </summary>
public sealed unsafe partial class InterpreterCore
{
    private bool _stepping;

    /// <summary>Who else keeps code, or null.</summary>
    internal IForeignCode? ForeignCode { get; set; }

    /// <summary>Executes the instruction at EIP.</summary>
    /// <param name="exit">Why it did not just go on to the next.</param>
    /// <returns>Whether there is an exit.</returns>
    internal bool Step(out CpuExit exit) => StepOps(null, out exit);

    /// <summary>Executes one instruction that was decoded by <see cref="DecodeInto"/>, or decodes the one at EIP.</summary>
    internal bool StepOps(MicroOp* ops, out CpuExit exit)
    {
        _hasExit = false;
        _stepping = true;

        // Or a branch would go on with a block that is known.
        Cpu->Budget = 0;
        try
        {
            _current = null;
            MicroOp* op = ops != null ? ops : _builder.BuildSingle(Cpu->Arch.Eip);
            RunBlocksQuietly(Cpu, op);
            exit = _exit;
            return _hasExit;
        }
        catch (GuestFault fault)
        {
            TakeFault(fault);
            exit = _exit;
            return true;
        }
        finally
        {
            _stepping = false;
        }
    }

    /// <summary>Ops of the instruction at an EIP whose bytes lie in one page, for <see cref="StepOps"/>.</summary>
    /// <param name="instruction">The instruction, decoded.</param>
    /// <param name="ops">Room for <see cref="BlockBuilder.MaxSingleOps"/>.</param>
    internal void DecodeInto(in Iced.Intel.Instruction instruction, MicroOp* ops) => _builder.EmitSingle(in instruction, ops);

    /// <summary>Whoever keeps code has taken some from this frame: its writes must be seen from now on.</summary>
    internal void ForeignCodeIn(uint frame) => ForgetFastWrites(frame);

    /// <summary>A fault of fetching at an EIP, or none, with the page's Accessed bit set.</summary>
    /// <returns>Whether it can be fetched.</returns>
    internal bool TryFetch(uint eip, out uint physical, out CpuExit exit)
    {
        bool found = TryTranslateFetch(eip, out physical);
        exit = found ? default : _exit;
        return found;
    }
}
