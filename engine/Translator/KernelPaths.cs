// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Cpu;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Generations;

namespace Lguest.Engine.Translator;

/// <summary>
/// What translated code needs to know to make system calls, to return from them and to load segment registers without
/// leaving: kept in the <see cref="CpuState"/>, put right before each entry.
/// </summary>
internal sealed unsafe class KernelPaths
{
    /// <summary>A selector that nobody can have.</summary>
    private const uint NoSelector = 0xFFFF_0000;

    /// <summary>No address with this added is one (it is not canonical).</summary>
    private const ulong FaultingBias = 1UL << 62;

    /// <summary>Bytes that the last steps of each way take at most.</summary>
    private const int TailBytes = 512;

    private const uint UnusualFlags = EFlags.Trap | EFlags.NestedTask | EFlags.AlignmentCheck | EFlags.Identification | EFlags.Virtual8086;

    private readonly CpuState* _cpu;
    private readonly GuestMemory _memory;
    private readonly DescriptorTable _gdt;
    private readonly CodeCache _code;
    private readonly BlockTranslator _translator;
    private uint? _systemCallHandler;
    private uint _stackSelector;
    private byte* _systemCallTail;
    private byte* _interruptReturnTail;
    private byte* _leavingReturnTail;
    private uint _tailFlushes = uint.MaxValue;
    private int _nextFs;
    private int _nextGs;

    /// <summary>Makes them for a processor that knows no system call yet.</summary>
    public KernelPaths(CpuState* cpu, GuestMemory memory, DescriptorTable gdt, CodeCache code, BlockTranslator translator)
    {
        _cpu = cpu;
        _memory = memory;
        _gdt = gdt;
        _code = code;
        _translator = translator;
        cpu->Translator.UserCs.Selector = NoSelector;
        cpu->Translator.UserSs.Selector = NoSelector;
    }

    /// <summary>System calls are delivered in another way, or to another stack.</summary>
    public void SetSystemCall(in GuestContext context)
    {
        if (context.SystemCallHandler != _systemCallHandler)
            _tailFlushes = uint.MaxValue;
        _systemCallHandler = context.SystemCallHandler;
        _stackSelector = context.StackSelector;
        _cpu->Translator.KernelStack = context.StackPointer;
        _cpu->Translator.IrqEnabledAddress = context.Data is { } data ? (ulong)(_memory.Base + data.Address + GuestDataLayout.IrqEnabled) : 0;
        _cpu->Translator.MaskAddress = context.SystemCallMasks ? _cpu->Translator.IrqEnabledAddress : (ulong)&_cpu->Translator.Nothing;
        LoadKernelSegments();
    }

    /// <summary>The GDT was changed.</summary>
    public void DescriptorsChanged()
    {
        // A kernel changes the thread's descriptors at every switch; what is as it was stays.
        if (!IsAsInTable(_cpu->Translator.UserCs) || !IsAsInTable(_cpu->Translator.UserSs))
        {
            _cpu->Translator.UserCs.Selector = NoSelector;
            _cpu->Translator.UserSs.Selector = NoSelector;
        }

        SegmentCandidate* candidates = &_cpu->Translator.FsCandidate0;
        for (int i = 0; i < 4; i++)
        {
            if (IsAsInTable(candidates[i].Segment))
                continue;
            candidates[i].Segment.Selector = NoSelector;
            candidates[i].Negated = 1;
        }

        LoadKernelSegments();
    }

    /// <summary>After an IRET to ring 3 that the interpreter made: the next like it need not leave.</summary>
    public void RememberUserSegments()
    {
        _cpu->Translator.UserCs = _cpu->Arch.Cs;
        _cpu->Translator.UserSs = _cpu->Arch.Ss;
    }

    /// <summary>Puts right what emitted code is about to look at.</summary>
    /// <param name="hasUserWindow">Whether ring 3 has a window to return to.</param>
    /// <param name="userLeaves">Whether ring 3 does not go on in translated code.</param>
    public void Prepare(bool hasUserWindow, bool userLeaves)
    {
        CpuState* cpu = _cpu;
        cpu->Translator.ExtraFlags = cpu->Arch.SystemFlags & UnusualFlags;
        cpu->Translator.NegatedEs = 0 - cpu->Arch.Es.Selector;
        cpu->Translator.NegatedDs = 0 - cpu->Arch.Ds.Selector;
        (cpu->Translator.FsBias, cpu->Translator.FsBeginningBias) = Biases(cpu->Arch.Fs);
        (cpu->Translator.GsBias, cpu->Translator.GsBeginningBias) = Biases(cpu->Arch.Gs);
        SegmentCandidate* candidates = &cpu->Translator.FsCandidate0;
        RememberCandidate(candidates, cpu->Arch.Fs, ref _nextFs);
        RememberCandidate(candidates + 2, cpu->Arch.Gs, ref _nextGs);

        bool flat = cpu->Translator.KernelSs.Base == 0 && cpu->Translator.KernelSs.Limit == uint.MaxValue && (cpu->Translator.KernelSs.Attributes & SegmentLoad.BigBit) != 0
            && cpu->Translator.KernelCs.Base == 0 && cpu->Translator.KernelCs.Limit == uint.MaxValue && (cpu->Translator.KernelCs.Attributes & SegmentLoad.BigBit) != 0;
        bool tails = flat && (cpu->Arch.SystemFlags & (EFlags.Trap | EFlags.NestedTask)) == 0 && PrepareTails();
        NativeStubs stubs = _code.Stubs;
        cpu->Translator.SystemCallEntry = tails && _systemCallTail != null && cpu->Translator.KernelStack >= Page.Size ? stubs.SystemCall : stubs.SlowSystemCall;
        cpu->Translator.SystemCallTail = (ulong)_systemCallTail;
        cpu->Translator.InterruptReturnEntry = tails && hasUserWindow && cpu->Translator.UserCs.Selector != NoSelector ? stubs.InterruptReturn : stubs.SlowInterruptReturn;
        cpu->Translator.InterruptReturnTail = (ulong)(userLeaves ? _leavingReturnTail : _interruptReturnTail);
    }

    private bool IsAsInTable(in SegmentRegister segment)
    {
        if (segment.Selector == NoSelector)
            return false;
        if ((segment.Selector & 0xFFFC) == 0)
            return true;
        SegmentRegister now = default;
        if (!_gdt.TryGet(segment.Selector, out ulong descriptor))
            return false;
        SegmentLoad.SetHidden(ref now, segment.Selector, descriptor);
        return now.Base == segment.Base && now.Limit == segment.Limit && now.Attributes == segment.Attributes;
    }

    private void LoadKernelSegments()
    {
        _gdt.TryGet(Selectors.KernelCode, out ulong code);
        SegmentLoad.SetHidden(ref _cpu->Translator.KernelCs, Selectors.KernelCode, code);
        _gdt.TryGet(_stackSelector, out ulong stack);
        SegmentLoad.SetHidden(ref _cpu->Translator.KernelSs, _stackSelector, stack);
    }

    /// <summary>For all of a segment, and for reading its beginning.</summary>
    private static (ulong All, ulong Beginning) Biases(in SegmentRegister segment) =>
        segment.IsWide ? (0, 0) : (FaultingBias, segment.HasBeginning(TranslatorScratch.SegmentBeginning) ? 0 : FaultingBias);

    private static void RememberCandidate(SegmentCandidate* candidates, in SegmentRegister segment, ref int next)
    {
        if (candidates[0].Segment.Selector == segment.Selector && candidates[0].Negated != 1)
            return;
        if (candidates[1].Segment.Selector == segment.Selector && candidates[1].Negated != 1)
            return;
        candidates[next].Segment = segment;
        (candidates[next].Bias, candidates[next].BeginningBias) = Biases(segment);
        candidates[next].Negated = 0 - segment.Selector;
        next ^= 1;
    }

    /// <summary>
    /// The last steps of both ways, which lie among the translated code, so that an interruption there is seen: first the
    /// attention flag, then on.
    /// </summary>
    private bool PrepareTails()
    {
        if (_tailFlushes == _code.Flushes)
            return true;
        if (!_code.HasRoom(2 * TailBytes))
            return false;
        _systemCallTail = null;
        if (_systemCallHandler is { } handler)
        {
            _systemCallTail = _code.Next;
            _code.Emit.Start(_systemCallTail);
            _translator.EmitSystemCallTail(handler);
            _code.Take(_code.Emit.Here, TailBytes);
        }

        // Emitted anew with the other: all code is gone, or the handler is another one.
        _interruptReturnTail = _code.Next;
        _code.Emit.Start(_interruptReturnTail);
        _translator.EmitInterruptReturnTail();
        _leavingReturnTail = _code.Emit.Here;
        _translator.EmitLeavingReturnTail();
        _code.Take(_code.Emit.Here, TailBytes);
        _tailFlushes = _code.Flushes;
        return true;
    }
}
