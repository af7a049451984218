// SPDX-License-Identifier: GPL-2.0-or-later
using Iced.Intel;
using Lguest.Engine.Cpu;
using Lguest.GuestAbi;

namespace Lguest.Engine.Translator;

/// <summary>
/// What translated code needs to know to make system calls, to return from them and to load segment registers without
/// coming here: kept in the <see cref="CpuState"/>, put right before each entry.
/// </summary>
public sealed unsafe partial class TranslatorCore
{
    /// <summary>A selector that nobody can have.</summary>
    private const uint NoSelector = 0xFFFF_0000;

    /// <summary>No address with this added is one (it is not canonical).</summary>
    private const ulong FaultingBias = 1UL << 62;

    /// <summary>Host code begins at multiples of this, as processors like it.</summary>
    private const ulong CodeAlignment = 16;

    /// <summary>Bytes that all tails together take at most.</summary>
    private const int TailBytes = 1024;

    private const uint UnusualFlags = EFlags.Trap | EFlags.NestedTask | EFlags.AlignmentCheck | EFlags.Identification | EFlags.Virtual8086;

    private uint? _systemCallHandler;
    private uint _stackSelector;
    private byte* _systemCallTail;
    private byte* _interruptReturnTail;
    private byte* _leavingReturnTail;
    private uint _tailFlushes = uint.MaxValue;
    private int _nextFs;
    private int _nextGs;

    /// <inheritdoc/>
    public override void SetSystemCall(uint? handler, uint stackSelector, uint stackPointer, uint* irqEnabled)
    {
        if (handler != _systemCallHandler)
            _tailFlushes = uint.MaxValue;
        _systemCallHandler = handler;
        _stackSelector = stackSelector;
        Cpu->KernelStack = stackPointer;
        Cpu->IrqEnabledAddress = (ulong)irqEnabled;
        LoadKernelSegments();
    }

    /// <inheritdoc/>
    public override void DescriptorsChanged()
    {
        // A kernel changes the thread's descriptors at every switch; what is as it was stays.
        if (!IsAsInTable(Cpu->UserCs) || !IsAsInTable(Cpu->UserSs))
        {
            Cpu->UserCs.Selector = NoSelector;
            Cpu->UserSs.Selector = NoSelector;
        }

        SegmentCandidate* candidates = &Cpu->FsCandidate0;
        for (int i = 0; i < 4; i++)
        {
            if (IsAsInTable(candidates[i].Segment))
                continue;
            candidates[i].Segment.Selector = NoSelector;
            candidates[i].Negated = 1;
        }

        LoadKernelSegments();
    }

    private bool IsAsInTable(in SegmentRegister segment)
    {
        if (segment.Selector == NoSelector)
            return false;
        if ((segment.Selector & 0xFFFC) == 0)
            return true;
        SegmentRegister now = default;
        if (!Gdt.TryGet(segment.Selector, out ulong descriptor))
            return false;
        SegmentLoad.SetHidden(ref now, segment.Selector, descriptor);
        return now.Base == segment.Base && now.Limit == segment.Limit && now.Attributes == segment.Attributes;
    }

    private void LoadKernelSegments()
    {
        Gdt.TryGet(Selectors.KernelCode, out ulong code);
        SegmentLoad.SetHidden(ref Cpu->KernelCs, Selectors.KernelCode, code);
        Gdt.TryGet(_stackSelector, out ulong stack);
        SegmentLoad.SetHidden(ref Cpu->KernelSs, _stackSelector, stack);
    }

    private void PrepareKernelWays()
    {
        CpuState* cpu = Cpu;
        cpu->ExtraFlags = cpu->SystemFlags & UnusualFlags;
        cpu->NegatedEs = 0 - cpu->Es.Selector;
        cpu->NegatedDs = 0 - cpu->Ds.Selector;
        cpu->FsBias = cpu->Fs.IsWide ? 0 : FaultingBias;
        cpu->GsBias = cpu->Gs.IsWide ? 0 : FaultingBias;
        SegmentCandidate* candidates = &cpu->FsCandidate0;
        RememberCandidate(candidates, cpu->Fs, cpu->FsBias, ref _nextFs);
        RememberCandidate(candidates + 2, cpu->Gs, cpu->GsBias, ref _nextGs);

        bool flat = cpu->KernelSs.Base == 0 && cpu->KernelSs.Limit == uint.MaxValue && (cpu->KernelSs.Attributes & SegmentLoad.BigBit) != 0
            && cpu->KernelCs.Base == 0 && cpu->KernelCs.Limit == uint.MaxValue && (cpu->KernelCs.Attributes & SegmentLoad.BigBit) != 0;
        bool tails = flat && (cpu->SystemFlags & (EFlags.Trap | EFlags.NestedTask)) == 0 && PrepareTails();
        cpu->SystemCallEntry = tails && _systemCallTail != null && cpu->KernelStack >= Page.Size ? _stubs.SystemCall : _stubs.SlowSystemCall;
        cpu->SystemCallTail = (ulong)_systemCallTail;
        cpu->InterruptReturnEntry = tails && _space is not null && cpu->UserCs.Selector != NoSelector ? _stubs.InterruptReturn : _stubs.SlowInterruptReturn;
        cpu->InterruptReturnTail = (ulong)(_space is { Slice: > 0 } ? _leavingReturnTail : _interruptReturnTail);
    }

    private static void RememberCandidate(SegmentCandidate* candidates, in SegmentRegister segment, ulong bias, ref int next)
    {
        if (candidates[0].Segment.Selector == segment.Selector && candidates[0].Negated != 1)
            return;
        if (candidates[1].Segment.Selector == segment.Selector && candidates[1].Negated != 1)
            return;
        candidates[next].Segment = segment;
        candidates[next].Bias = bias;
        candidates[next].Negated = 0 - segment.Selector;
        next ^= 1;
    }

    /// <summary>After an IRET that the interpreter made: the next like it need not come here.</summary>
    private void RememberUserSegments()
    {
        if (Cpu->Cpl != Selectors.UserRing || (_interpreter.Mode & Unusual) != 0)
            return;
        Cpu->UserCs = Cpu->Cs;
        Cpu->UserSs = Cpu->Ss;
    }

    private void MapKernelStack()
    {
        uint ring = Cpu->Cpl;
        Cpu->Cpl = Selectors.GuestRing;
        TryMap(Cpu->KernelStack - 4, write: true, out _, out _);
        if (((Cpu->KernelStack - 4) ^ (Cpu->KernelStack - 20)) > Page.OffsetMask)
            TryMap(Cpu->KernelStack - 20, write: true, out _, out _);
        Cpu->Cpl = ring;
    }

    /// <summary>
    /// The last steps of both ways, which lie among the translated code, so that an interruption there is seen: first the
    /// attention flag, then on.
    /// </summary>
    private bool PrepareTails()
    {
        if (_tailFlushes == _flushes)
            return true;
        if (!HasRoom(TailBytes))
            return false;
        byte* start = _codeNext;
        _systemCallTail = null;
        if (_systemCallHandler is { } handler)
        {
            _emit.Start(_codeNext);
            _systemCallTail = _emit.Here;
            _translator.EmitSystemCallTail(handler);
            _codeNext = Aligned(_emit.Here);
        }

        if (_tailFlushes != _flushes || _interruptReturnTail == null)
        {
            _emit.Start(_codeNext);
            _interruptReturnTail = _emit.Here;
            _translator.EmitInterruptReturnTail();
            _leavingReturnTail = _emit.Here;
            _translator.EmitLeavingReturnTail();
            _codeNext = Aligned(_emit.Here);
        }

        CheckRoom(start, _codeNext, TailBytes);
        _tailFlushes = _flushes;
        return true;
    }

    private static byte* Aligned(byte* address) => (byte*)(((ulong)address + CodeAlignment - 1) & ~(CodeAlignment - 1));
}
