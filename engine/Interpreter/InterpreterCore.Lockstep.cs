// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Cpu;
using Lguest.Engine.Memory;
using Lguest.GuestAbi;

namespace Lguest.Engine.Interpreter;

/// <summary>
/// The interpreter as the one that another engine's work is compared with: it runs as far as one translated block would, and
/// tells which way it went.
/// </summary>
public sealed unsafe partial class InterpreterCore
{
    private bool _wentStale;

    /// <summary>Throws away everything decoded: memory was changed behind its back.</summary>
    internal void ForgetDecoded() => ForgetBlocks();

    /// <summary>Writes a word of memory that is the guest's, as an instruction would.</summary>
    internal void WriteAsHost(uint physical, uint value) => StoreBytes(Memory.Base + physical, sizeof(uint), value);

    /// <summary>
    /// Runs from EIP on until control goes anywhere but to the next instruction, or EIP is where the block ends, or something
    /// happens that is not the processor's own business.
    /// </summary>
    /// <param name="end">Where the block ends.</param>
    /// <param name="limit">Instructions at most.</param>
    /// <param name="path">The instructions' EIPs; one that repeats itself counts once.</param>
    /// <param name="exit">What happened.</param>
    /// <returns>Whether anything did.</returns>
    internal bool RunStretch(uint end, int limit, List<uint> path, out CpuExit exit)
    {
        CpuState* cpu = Cpu;
        path.Clear();
        _hasExit = false;
        cpu->Attention = 0;
        SegmentsChanged();
        try
        {
            while ((_mode & CodeMode.Single) == 0)
            {
                _current = null;

                // Without a budget whatever goes elsewhere comes back here.
                cpu->Budget = 0;
                _wentStale = false;
                MicroOp* op = FindBlock(cpu->Arch.Eip);
                MicroOp* last = op;
                for (; op != null; op = op->Handler(this, cpu, op))
                {
                    // Only the end of a block, which is no instruction, has nothing behind it.
                    if (op->NextEip != 0 && (path.Count == 0 || path[^1] != op->Eip))
                    {
                        if (path.Count == limit || (path.Count > 0 && IsBehind(op->Eip)))
                        {
                            cpu->Arch.Eip = op->Eip;
                            exit = default;
                            return false;
                        }

                        path.Add(op->Eip);
                    }

                    _current = op;
                    last = op;
                }

                if (_hasExit)
                    break;

                if (IsBehind(cpu->Arch.Eip))
                    break;

                // What comes back to itself is a branch; or a repeated string instruction that is not done, or one that was not
                // even begun since its block was written over.
                bool again = _wentStale || (cpu->Arch.Eip == last->Eip && last->NextEip != 0 && IsRepeatedString(cpu->Arch.Eip));
                if (!again && last->NextEip != 0 && cpu->Arch.Eip != last->NextEip)
                    break;
                if (path.Count == limit && cpu->Arch.Eip != path[^1])
                    break;
            }
        }
        catch (GuestFault fault)
        {
            TakeFault(fault);
            _hasExit = true;
        }

        exit = _exit;
        return _hasExit;

        // A block of the translator's does not go on in another page, though its last instruction may.
        bool IsBehind(uint eip) => eip == end || (path.Count > 0 && ((eip ^ path[0]) & ~Page.OffsetMask) != 0);
    }

    /// <summary>Whether a string instruction with a repeat prefix is at an EIP.</summary>
    internal bool IsRepeatedString(uint eip)
    {
        const int longest = 15;
        bool repeated = false;
        for (uint i = 0; i < longest; i++)
        {
            if (!TryFetch(eip + i, out uint physical, out _))
                return false;
            switch (Memory.Base[physical])
            {
                case 0xF2 or 0xF3:
                    repeated = true;
                    continue;
                case 0x26 or 0x2E or 0x36 or 0x3E or 0x64 or 0x65 or 0x66 or 0x67 or 0xF0:
                    continue;
                case (>= 0xA4 and <= 0xA7) or (>= 0xAA and <= 0xAF) or (>= 0x6C and <= 0x6F):
                    return repeated;
                default:
                    return false;
            }
        }

        return false;
    }
}
