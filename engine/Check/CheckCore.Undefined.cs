// SPDX-License-Identifier: GPL-2.0-or-later
using Iced.Intel;
using Lguest.Engine.Cpu;
using Lguest.Engine.FloatingPoint;
using Lguest.Engine.Instructions;
using Lguest.GuestAbi;

namespace Lguest.Engine.Check;

/// <summary>
/// Blocks that look at undefined flags: PUSHF, a conditional jump, the image that INT pushes. There the engines may differ, but
/// not at will: there must be values of the undefined flags with which the interpreter does just what the translator did. They
/// are searched for; everything else is compared exactly, memory included.
/// </summary>
public sealed unsafe partial class CheckCore
{
    /// <summary>So many combinations are tried; a block that looks at more is not judged, but counted.</summary>
    private const int MostChoices = 1 << 12;

    /// <summary>An EIP where no block ends: the host's part begins before it.</summary>
    private const uint Nowhere = uint.MaxValue;

    // The last instruction's opcode and addresses in what FNSTENV and FNSAVE store (16 and 32 bits), and FXSAVE.
    private static readonly (int From, int To) s_narrowPointers = (6, 14), s_widePointers = (12, 28), s_fxPointers = (6, 24);

    private readonly List<uint> _step = [];
    private uint? _undefined;

    /// <summary>
    /// Whether some values of what is undefined make the interpreter do what the translator did; as far as the block went, or as
    /// far as the translator did, which stops on the way or goes on where code is written over.
    /// </summary>
    /// <param name="stretch">What it did with its own.</param>
    /// <param name="exit">What the translator stopped for.</param>
    private bool SomeChoiceAgrees(in Stretch stretch, in CpuExit exit)
    {
        IMemoryChange written = _journal.Now();
        int upTo = exit.Kind == ExitKind.Attention ? InstructionsUpTo(in stretch) : 0;
        bool agrees = TryAll(written, in stretch, upTo, in exit);
        if (!agrees)
        {
            // It may have written where the interpreter has not yet, and reads what is there now.
            written = new ShadowDifference(Memory, _shadow);
            agrees = TryAll(written, in stretch, upTo, in exit);
        }

        _undefined = null;
        if (!agrees)
        {
            // For the report.
            RunOracleAgain(written, stretch.End, int.MaxValue, stretch.Delivers);
        }

        return agrees;
    }

    private bool TryAll(IMemoryChange written, in Stretch stretch, int upTo, in CpuExit exit) =>
        Search(written, stretch.End, int.MaxValue, stretch.Delivers, in exit)
        || (upTo > 0 && Search(written, stretch.End, upTo, delivers: false, in exit))
        || Search(written, exit.Kind == ExitKind.Attention ? Cpu->Arch.Eip : Nowhere, int.MaxValue, delivers: false, in exit);

    private bool LeavesUndefined()
    {
        bool floats = false;
        foreach (Instruction instruction in DisagreementReport.Decode(_path, Fetch))
        {
            if (UndefinedFlags.After(in instruction, cl: null) != 0 || (floats && StoresPointers(in instruction)))
                return true;
            floats |= InstructionClassifier.TryClassify(in instruction, out _);
        }

        return false;
    }

    private bool Search(IMemoryChange translated, uint end, int limit, bool delivers, in CpuExit exit)
    {
        FlagChoices choices = new();
        for (int tried = 0; ; tried++)
        {
            if (tried == MostChoices)
            {
                Unjudged++;
                return true;
            }

            translated.TakeBack();
            translated.Announce(_oracle);
            Stretch stretch = RunOracleChoosing(translated, end, limit, delivers, choices);
            translated.DoAgain();

            // It may know code that either has written; what nobody has written it need not decode again, in thousands of rounds.
            translated.Announce(_oracle);
            foreach (ref readonly WriteJournal.Entry entry in _journal.Entries)
                _oracle.HostWrites(entry.Physical, (uint)entry.Size);
            ForgiveFault(ref stretch, in exit);
            if (Difference(in stretch, in exit) is null)
                return true;
            if (!choices.Next())
                return false;
        }
    }

    /// <summary>The interpreter's turn, instruction by instruction, with chosen values for undefined flags that are looked at.</summary>
    private Stretch RunOracleChoosing(IMemoryChange translated, uint end, int limit, bool delivers, FlagChoices choices)
    {
        _oracle.Cpu->Arch = _before;
        CpuState* cpu = _oracle.Cpu;
        _tape.Rewind();
        _journal.Open();
        _path.Clear();
        Stretch stretch = new() { End = end, Delivers = delivers };
        uint undefined = 0;
        bool floats = false;
        while (_path.Count < limit)
        {
            uint eip = cpu->Arch.Eip;
            if (_path.Count > 0 && (eip == end || ((eip ^ _path[0]) & ~Page.OffsetMask) != 0))
                break;
            Instruction instruction = DisagreementReport.Decode([eip], Fetch).First();
            Choose(UndefinedFlags.Read(in instruction));
            byte cl = (byte)cpu->Arch.Registers[(int)GeneralRegister.Ecx];
            uint? pointers = floats && StoresPointers(in instruction) ? Operand(in instruction) : null;
            stretch.HasExit = _oracle.RunStretch(end, 1, _step, out stretch.Exit);
            _path.AddRange(_step);
            if (stretch is { HasExit: true, Exit.Kind: ExitKind.Exception or ExitKind.Killed } && stretch.Exit.InstructionEip == eip)
                break;
            undefined = (undefined & ~UndefinedFlags.Defined(in instruction, cl)) | UndefinedFlags.After(in instruction, cl);
            if (pointers is { } at)
                TakePointers(translated, in instruction, at);
            floats |= InstructionClassifier.TryClassify(in instruction, out _);
            if (stretch.HasExit || cpu->Arch.Eip != eip + (uint)instruction.Length)
                break;
        }

        if (delivers)
        {
            Choose(EFlags.Arithmetic);
            stretch.HasExit = !DeliverSystemCall();
        }

        _journal.TakeBack();
        _undefined = undefined;
        return stretch;

        void Choose(uint read)
        {
            read &= undefined;
            if (read == 0)
                return;

            // The translator's flags in the end are mostly those that were looked at: they are tried first, and then all others.
            uint likely = (cpu->Arch.Flags ^ Cpu->Arch.Flags) & read;
            cpu->Arch.Flags ^= likely ^ choices.Flips(read);
            undefined &= ~read;
        }
    }

    private static bool StoresPointers(in Instruction instruction) =>
        (InstructionCatalog.Of(in instruction).Differs & Differences.FloatingPointPointers) != 0;

    /// <summary>Linear address of a memory operand, on the interpreter's registers.</summary>
    private uint Operand(in Instruction instruction) => (uint)instruction.GetVirtualAddress(0, 0, (register, _, _) =>
    {
        CpuState* cpu = _oracle.Cpu;
        if (register.IsGPR32())
            return cpu->Arch.Registers[register.GetNumber()];
        if (register.IsGPR16())
            return (ushort)cpu->Arch.Registers[register.GetNumber()];
        return register.IsSegmentRegister() ? (&cpu->Arch.Es)[register.GetNumber()].Base : 0;
    });

    /// <summary>Where the last floating-point instruction was is the processor's affair: the translator's idea of it is taken.</summary>
    private void TakePointers(IMemoryChange translated, in Instruction instruction, uint operand)
    {
        (int from, int to) = instruction.Mnemonic == Mnemonic.Fxsave ? s_fxPointers
            : instruction.Code is Code.Fnstenv_m14byte or Code.Fnsave_m94byte ? s_narrowPointers
            : s_widePointers;
        for (int i = from; i < to; i++)
        {
            if (_oracle.TryFetch(operand + (uint)i, out uint physical, out _) && translated.After(physical) is { } value)
                Memory.Base[physical] = value;
        }
    }
}
