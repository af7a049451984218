// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using Lguest.Engine.Cpu;
using Lguest.Engine.FloatingPoint;
using Lguest.GuestAbi;

namespace Lguest.Engine.Check;

/// <summary>What must be the same after a block, and what need not be.</summary>
public sealed unsafe partial class CheckCore
{
    /// <summary>Blocks that a report tells of.</summary>
    private const int Remembered = 16;

    /// <summary>Bytes around each write that are looked at too: a wider write than it should be is seen at once.</summary>
    private const uint Neighbourhood = 16;
    private const int FxTagsEnd = FxImage.Place.Tags + sizeof(byte);

    private uint? _faultedAt;

    /// <summary>
    /// Since the last look at all of memory a block agreed that others may have steered: an address, or the entry that maps it, was
    /// read by each engine at another time. Where both addresses had the same value before, that shows only when somebody looks there.
    /// </summary>
    private bool _strayed;
    private readonly Queue<DisagreementReport.BlockRun> _recent = new(Remembered);

    /// <summary>The translator was interrupted in the middle of a repeated string instruction.</summary>
    private bool IsBetweenRounds(in Stretch expected) =>
        _path.Contains(Cpu->Arch.Eip) && (Cpu->Arch.Eip != _oracle.Cpu->Arch.Eip || expected.HasExit || !RegistersAgree())
        && _translator.Stepper.IsRepeatedString(Cpu->Arch.Eip);

    /// <summary>The translator was interrupted by a fault that it repaired, before it could do anything.</summary>
    private bool HasNotBegun(in Stretch expected) =>
        Cpu->Arch.Eip == _before.Eip && (expected.HasExit || Cpu->Arch.Eip != _oracle.Cpu->Arch.Eip || !RegistersAgree());

    /// <summary>
    /// A repeated string instruction that both have stopped in, since it wrote over itself: at which round a processor notices is
    /// its own affair (Intel SDM vol. 3A, 8.1.3). But the rounds that either did must be of that instruction.
    /// </summary>
    private bool HasOverwrittenItself(in CpuExit exit)
    {
        const uint longest = 15;
        uint eip = Cpu->Arch.Eip;
        if (exit.Kind != ExitKind.Attention || _oracle.Cpu->Arch.Eip != eip || !_path.Contains(eip))
            return false;
        bool overwritten = false;
        for (uint i = 0; i < longest && !overwritten; i++)
            overwritten = _translator.Stepper.TryFetch(eip + i, out uint physical, out _) && _shadow[physical] != Memory.Base[physical];
        uint rounds = _oracle.Cpu->Arch.Registers[(int)GeneralRegister.Ecx] - Cpu->Arch.Registers[(int)GeneralRegister.Ecx];
        return overwritten && HasMoved(GeneralRegister.Esi) && HasMoved(GeneralRegister.Edi);

        bool HasMoved(GeneralRegister register)
        {
            uint way = Cpu->Arch.Registers[(int)register] - _oracle.Cpu->Arch.Registers[(int)register];
            return way == 0 || (int)way == (int)rounds || (int)way == 2 * (int)rounds || (int)way == 4 * (int)rounds
                || (int)way == -(int)rounds || (int)way == -2 * (int)rounds || (int)way == -4 * (int)rounds;
        }
    }

    /// <summary>Throws unless both engines have done the same.</summary>
    private void Agree(in Stretch expected, in CpuExit exit)
    {
        Stretch stretch = expected;
        _faultedAt = exit.Kind is ExitKind.Exception or ExitKind.Killed ? exit.InstructionEip : null;
        bool stopped = exit.Kind == ExitKind.Attention;
        if (stopped && stretch.HasExit && stretch.Exit.Kind == ExitKind.SoftwareInterrupt && stretch.Exit.Vector == Vectors.SystemCall
            && Context.SystemCallHandler is not null && Cpu->Arch.Cpl == Selectors.GuestRing && _before.Cpl != Selectors.GuestRing)
        {
            stretch = RunOracleAgain(_journal.Now(), stretch.End, int.MaxValue, delivers: true);
        }

        ForgiveFault(ref stretch, in exit);
        string? what = Difference(in stretch, in exit);
        bool steered = _journal.ReachedForeign || _tables.AreForeign;
        if (what is not null && steered)
        {
            // Others may have written between the engines' looks at the same memory: on with what the translator has.
            RunUnchecked(default);
            return;
        }

        if (what is not null && stopped && InstructionsUpTo(in stretch) is > 0 and int instructions)
        {
            // It may have stopped on the way, for code that was written or a fault that is the interpreter's: then the
            // interpreter does the same. Or it is wrong in any case, and the whole block is what to tell of.
            IMemoryChange translated = _journal.Now();
            Stretch shorter = RunOracleAgain(translated, stretch.End, instructions, delivers: false);
            if (Difference(in shorter, in exit) is null)
                what = null;
            else
                stretch = RunOracleAgain(translated, stretch.End, int.MaxValue, delivers: false);
        }

        if (what is null && IsExcusedByCount())
            what = "flags are different";
        if (what is not null)
        {
            if (HasOverwrittenItself(in exit))
            {
                TakeUncompared();
                return;
            }

            if (!SomeChoiceAgrees(in stretch, in exit))
                throw Disagreement(what, in stretch, in exit);

            // On with what the translator has, which is the processor's.
            if (LeavesUndefined())
                UndefinedLooks++;
        }

        NoteTableChanges();
        _strayed |= steered;
        foreach (ref readonly WriteJournal.Entry entry in _journal.Entries)
            _shadow.Take(entry.Physical, entry.Size);
        foreach (ref readonly WriteJournal.Entry entry in _journal.Entries)
        {
            uint page = entry.Physical & ~Page.OffsetMask;
            uint first = Math.Max(page, entry.Physical - Math.Min(Neighbourhood, entry.Physical));
            uint last = Math.Min(page + Page.OffsetMask, entry.Physical + (uint)entry.Size - 1 + Neighbourhood);
            if (_shadow.FirstDifference(first, (int)(last - first + 1)) is not { } at)
                continue;
            if (!_strayed)
                throw Disagreement($"the translator alone has written at guest physical 0x{at:x8} (0x{_shadow[at]:x2} became 0x{Memory.Base[at]:x2})", in stretch, in exit);
            TakeStrays();
            break;
        }
    }

    /// <summary>Takes over what the translator has written where others sent it: the interpreter has written elsewhere, or the same as was there.</summary>
    private void TakeStrays()
    {
        TakeAllIntoShadow();
        _oracle.ForgetDecoded();
        _strayed = false;
    }

    /// <summary>How many instructions the translator has done if it stopped on the way; not one that could not be fetched.</summary>
    private int InstructionsUpTo(in Stretch stretch)
    {
        int at = _path.LastIndexOf(Cpu->Arch.Eip);
        return at < 0 && stretch.HasExit && stretch.Exit.InstructionEip == Cpu->Arch.Eip ? _path.Count : at;
    }

    private string? Difference(in Stretch stretch, in CpuExit exit)
    {
        if (!ExitsAgree(in stretch, in exit))
            return "they stopped for different reasons";
        if (!RegistersAgree())
            return "registers are different";
        if (!SegmentsAgree())
            return "segment registers are different";
        if (!FloatsAgree())
            return "the floating point state is different";
        foreach (ref readonly WriteJournal.Entry entry in _journal.Entries)
        {
            if (!IsAsWritten(in entry))
                return "memory is different";
        }

        return null;
    }

    private static bool ExitsAgree(in Stretch stretch, in CpuExit exit)
    {
        if (!stretch.HasExit)
            return exit.Kind == ExitKind.Attention;
        return stretch.Exit.Kind == exit.Kind && stretch.Exit.Vector == exit.Vector && stretch.Exit.ErrorCode == exit.ErrorCode
            && stretch.Exit.FaultAddress == exit.FaultAddress && stretch.Exit.InstructionEip == exit.InstructionEip && stretch.Exit.Reason == exit.Reason;
    }

    /// <summary>General registers, EIP, flags, ring.</summary>
    private bool RegistersAgree()
    {
        CpuState* a = _oracle.Cpu;
        CpuState* b = Cpu;
        if (!new ReadOnlySpan<uint>(a->Arch.Registers, 8).SequenceEqual(new ReadOnlySpan<uint>(b->Arch.Registers, 8)) || a->Arch.Eip != b->Arch.Eip || a->Arch.Cpl != b->Arch.Cpl)
            return false;
        uint difference = a->Arch.Flags ^ b->Arch.Flags;
        return difference == 0 || (difference & ~UndefinedBehind()) == 0;
    }

    private bool SegmentsAgree() =>
        MemoryMarshal.AsBytes(_oracle.Cpu->Arch.Segments).SequenceEqual(MemoryMarshal.AsBytes(Cpu->Arch.Segments))
        && _oracle.Cpu->Arch.TaskSwitched == Cpu->Arch.TaskSwitched && _oracle.Cpu->Arch.SingleStepped == Cpu->Arch.SingleStepped;

    private bool FloatsAgree()
    {
        ReadOnlySpan<byte> a = new(_oracle.Cpu->Arch.FxState, FxImage.Bytes32);
        ReadOnlySpan<byte> b = new(Cpu->Arch.FxState, FxImage.Bytes32);
        if (a.SequenceEqual(b))
            return true;

        // The last instruction's opcode and addresses may be anything: not every processor keeps them.
        if (!a[..FxTagsEnd].SequenceEqual(b[..FxTagsEnd])
            || !a[FxImage.Place.Mxcsr..FxImage.Place.MxcsrMask].SequenceEqual(b[FxImage.Place.Mxcsr..FxImage.Place.MxcsrMask]))
            return false;
        for (int i = FxImage.Place.Stack; i < FxImage.Place.Xmm; i += FxImage.RegisterStride)
        {
            if (!a.Slice(i, FxImage.StackRegisterBytes).SequenceEqual(b.Slice(i, FxImage.StackRegisterBytes)))
                return false;
        }

        return a[FxImage.Place.Xmm..].SequenceEqual(b[FxImage.Place.Xmm..]);
    }

    /// <summary>Whether memory is now as the interpreter left it, the marks in page table entries aside.</summary>
    private bool IsAsWritten(in WriteJournal.Entry entry)
    {
        ReadOnlySpan<byte> expected = _journal.After(in entry);
        ReadOnlySpan<byte> now = new(Memory.Base + entry.Physical, entry.Size);
        if (expected.SequenceEqual(now))
            return true;
        for (int i = 0; i < expected.Length; i++)
        {
            uint at = entry.Physical + (uint)i;
            byte difference = (byte)(expected[i] ^ now[i]);
            if (difference != 0 && ((difference & ~WriteJournal.Marks) != 0 || (at & 3) != 0 || !_journal.IsMarked(at)))
                return false;
        }

        return true;
    }

    /// <summary>
    /// Whether flags differ that are undefined only if a count in %cl, which is not looked at otherwise, was such a one.
    /// </summary>
    private bool IsExcusedByCount()
    {
        uint difference = _oracle.Cpu->Arch.Flags ^ Cpu->Arch.Flags;
        return difference != 0 && _undefined is null && (difference & ~UndefinedBehind(counts: false)) != 0;
    }

    /// <summary>The flags that the block left undefined.</summary>
    /// <param name="counts">Whether shifts and rotates by %cl count, which leave flags undefined or not by their count.</param>
    private uint UndefinedBehind(bool counts = true)
    {
        if (_undefined is { } known)
            return known;
        uint undefined = 0;
        foreach (Iced.Intel.Instruction instruction in DisagreementReport.Decode(_path, Fetch))
        {
            // An instruction that faults has set nothing.
            if (instruction.IP32 == _faultedAt)
                break;
            // Who looks at a flag fixes it: what was seen must be what is there in the end. SomeChoiceAgrees has it exactly.
            undefined &= ~UndefinedFlags.Read(in instruction);
            if (counts || !UndefinedFlags.IsCounted(in instruction))
                undefined = (undefined & ~UndefinedFlags.Defined(in instruction, cl: null)) | UndefinedFlags.After(in instruction, cl: null);
        }

        return undefined;
    }

    private byte Fetch(uint linear) =>
        _translator.Stepper.TryFetch(linear, out uint physical, out _) ? Memory.Base[physical] : (byte)0;

    private void RememberBlock()
    {
        if (_recent.Count == Remembered)
            _recent.Dequeue();
        _recent.Enqueue(new DisagreementReport.BlockRun(_before.Eip, Cpu->Arch.Eip, _before.Cpl, _path.Count));
    }

    /// <summary>Throws if the translator has written where the interpreter has not.</summary>
    internal void CompareAllMemory()
    {
        TakeHostWrites();
        _nextWholeComparison = Instructions + WholeComparisonInterval;
        WholeComparisons++;
        if (_strayed || _tables.AreForeign)
            TakeStrays();
        if (_shadow.FirstDifference() is not { } at)
            return;
        throw new EngineDisagreementException(
            $"the translator alone has written at guest physical 0x{at:x8} (0x{_shadow[at]:x2} became 0x{Memory.Base[at]:x2}), within the last {WholeComparisonInterval:N0} instructions",
            DisagreementReport.Blocks(_recent));
    }

    private EngineDisagreementException Disagreement(string what, in Stretch stretch, in CpuExit exit)
    {
        DisagreementReport report = new()
        {
            Path = _path,
            Fetch = Fetch,
            Undefined = UndefinedBehind(),
            InterpreterExit = stretch.HasExit ? stretch.Exit : null,
            TranslatorExit = exit.Kind == ExitKind.Attention ? null : exit,
        };
        foreach (ref readonly WriteJournal.Entry entry in _journal.Entries)
        {
            if (!IsAsWritten(in entry))
                report.Writes.Add(new DisagreementReport.Write(entry.Physical, _journal.Before(in entry).ToArray(), _journal.After(in entry).ToArray(), new ReadOnlySpan<byte>(Memory.Base + entry.Physical, entry.Size).ToArray()));
        }

        return new EngineDisagreementException(
            $"{what}, after {_path.Count} instructions from 0x{_before.Eip:x8} in ring {_before.Cpl}; they had agreed on {Instructions:N0} before",
            report.Text(in _before, in _oracle.Cpu->Arch, in Cpu->Arch) + DisagreementReport.Blocks(_recent));
    }
}
