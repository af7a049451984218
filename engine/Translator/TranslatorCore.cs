// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using Lguest.Engine.Cpu;
using Lguest.Engine.Debugging;
using Lguest.Engine.Interpreter;
using Lguest.Engine.Native;
using Lguest.GuestAbi;

namespace Lguest.Engine.Translator;

// [T:100] The same machine language
/// <summary>
/// The translator: guest code runs as host code, at nearly the host's speed. The interpreter is inside, on the same
/// registers, for single instructions that are not worth translating and for guests that do unusual things with segments.
/// <para>The parts: this file runs translated code and handles its exits; <c>TranslatorCore.Code.cs</c> is where it is kept,
/// <c>TranslatorCore.Spaces.cs</c> how the guest's memory appears in windows, <c>BlockTranslator*.cs</c> how it is made,
/// <c>NativeStubs.cs</c> the way in and out.</para>
/// </summary>
public sealed unsafe partial class TranslatorCore : ExecutionCore
{
    private const CodeMode Unusual = CodeMode.DsNotFlat | CodeMode.EsNotFlat | CodeMode.SsNotFlat
        | CodeMode.Code16 | CodeMode.Single | CodeMode.AlignmentCheck;

    /// <summary>What of EFLAGS is in the host's flags while translated code runs.</summary>
    private const uint NativeFlags = EFlags.Arithmetic | EFlags.Direction;

    /// <summary>Bytes of INT n without a prefix, which is the only one that has host code.</summary>
    internal const int IntLength = 2;

    private readonly InterpreterCore _interpreter;
    private readonly ThreadTimer _timer;
    private readonly NativeStubs _stubs;
    private long _deadline;
    private bool _deadlineSpent;
    private bool _flagsAreNative;

    /// <summary>Makes a processor at rest. It belongs to the calling thread.</summary>
    /// <exception cref="PlatformNotSupportedException">Not on this host.</exception>
    /// <exception cref="System.ComponentModel.Win32Exception">The host refuses memory, address space or executable mappings.</exception>
    /// <exception cref="InvalidOperationException">Too many engines in one process.</exception>
    public TranslatorCore(GuestMemory memory, DescriptorTable gdt, IGuestTime clock)
        : this(new InterpreterCore(memory, gdt, clock), CodeSlots.SlotSize)
    {
    }

    /// <summary>The same with less room for translated code, so that it is full sooner.</summary>
    /// <param name="memory">The guest's memory.</param>
    /// <param name="gdt">Its descriptors.</param>
    /// <param name="clock">Its time.</param>
    /// <param name="codeBytes">Room in bytes, pages, at most <see cref="CodeSlots.SlotSize"/>.</param>
    internal TranslatorCore(GuestMemory memory, DescriptorTable gdt, IGuestTime clock, nuint codeBytes)
        : this(new InterpreterCore(memory, gdt, clock), codeBytes)
    {
    }

    private TranslatorCore(InterpreterCore interpreter, nuint codeBytes)
        : base(interpreter, interpreter.Clock)
    {
        _interpreter = interpreter;
        try
        {
            if (WhyNotSupported is { } reason)
                throw new PlatformNotSupportedException($"the translator needs {reason}");
            _table = new BranchTable();
            _arena = CodeArena.InSlot(codeBytes);
            SignalHandlers.Reserve(_arena);
            _stubs = new NativeStubs(_arena);
            _emit = new HostAssembler(_arena);
            _translator = new BlockTranslator(this, _emit, _side, _stubs.Exit);
            _codeStart = (byte*)_stubs.Region.CodeStart;
            AllocateCode();
            StartCode();
            AllocateSpaces();
            Cpu->HostMxcsr = FxImage.MxcsrMasks;
            Cpu->BranchTable = _table.Address;
            Cpu->UserCs.Selector = NoSelector;
            Cpu->UserSs.Selector = NoSelector;
            SignalHandlers.Describe(_arena, _stubs.Region, _stubs.SystemCallRegion, _stubs.InterruptReturnRegion);
            SignalHandlers.Prepare();
            _timer = new ThreadTimer(Cpu);
            _interpreter.ForeignCode = this;
        }
        catch
        {
            // What was not made yet is null.
            Release();
            throw;
        }
    }

    /// <summary>Whether this host can run translated code.</summary>
    public static bool IsSupported => WhyNotSupported is null;

    /// <summary>What this host lacks to run translated code; null: nothing.</summary>
    public static string? WhyNotSupported { get; } =
        !OperatingSystem.IsLinux() ? "Linux"
        : RuntimeInformation.ProcessArchitecture != Architecture.X64 || !Sse2.X64.IsSupported ? "an x86-64 processor"
        : !HardwareCapabilities.HasFsGsBase ? "a processor with FSGSBASE, and a kernel that lets programs use it (Linux 5.9 or later)"
        : null;

    /// <inheritdoc/>
    public override CpuExit Run()
    {
        CpuState* cpu = Cpu;
        _interpreter.UpdateMode();
        byte* host = null;
        bool progress = false;
        for (; ; )
        {
            if (Volatile.Read(ref cpu->Attention) != 0)
            {
                _deadlineSpent = true;

                // However often it is interrupted, each run gets the guest on by an instruction at least; not over a breakpoint.
                if (!progress && !IsWatched && (_interpreter.Mode & Unusual) == 0 && InterpretAt(cpu->Eip, out CpuExit step))
                    return Leave(step);
                return Leave(new CpuExit { Kind = ExitKind.Attention, InstructionEip = cpu->Eip });
            }

            if ((_interpreter.Mode & Unusual) != 0 || IsWatched)
            {
                ToLazyFlags();
                return _interpreter.Run();
            }

            if (IsOnNewPages)
            {
                host = null;
                progress = true;
                if (RunOverNewPages(out CpuExit found))
                    return found;
                continue;
            }

            SelectContext();
            if (host == null)
            {
                // Where it went on after the last hypercall or trap, it mostly went on before.
                host = _table.Find(cpu->Eip, cpu->BranchKey);
                if (host == null)
                {
                    host = FindForTable(cpu->Eip, out CpuExit fetchFault);
                    if (host == null)
                        return Leave(fetchFault);
                }
            }

            ToNativeFlags();
            cpu->EnterTarget = (ulong)host;
            uint floatInstruction = cpu->Float.InstructionOffset;
            Times?.Enter(RunPhase.Guest);
            _stubs.Enter(cpu);
            Times?.Enter(RunPhase.Engine);
            cpu->FloatResume = 0;
            progress |= cpu->ExitReason != (uint)TranslatedExit.NotEntered;

            // System calls change the ring without asking.
            _interpreter.UpdateMode();
            _mode = CurrentMode();
            if (cpu->FloatWasLive != 0 && cpu->Float.InstructionOffset != floatInstruction)
                HideHostAddresses();
            _exits[cpu->ExitReason]++;
            host = null;
            if (Unchained && (TranslatedExit)cpu->ExitReason is TranslatedExit.Branch or TranslatedExit.Link)
                return Leave(new CpuExit { Kind = ExitKind.Attention, InstructionEip = cpu->Eip });
            switch ((TranslatedExit)cpu->ExitReason)
            {
                case TranslatedExit.NotEntered:
                    break;
                case TranslatedExit.Branch:
                    if (!IsOnNewPages)
                        host = FindForTable(cpu->Eip, out _);
                    break;
                case TranslatedExit.Link:
                    host = FindForLink(cpu->Eip, cpu->ExitDetail);
                    break;
                case TranslatedExit.Interpret:
                    if (Interpret(cpu->ExitDetail, out host, out CpuExit interpreted))
                        return Leave(interpreted);
                    break;
                case TranslatedExit.Fault:
                    if (HandleFault(out host, out CpuExit fault))
                        return Leave(fault);
                    break;
                case TranslatedExit.Attention:
                    Interrupted();
                    break;
                case TranslatedExit.InterpretHere:
                    if (InterpretAt(cpu->Eip, out CpuExit here))
                        return Leave(here);
                    RememberUserSegments();
                    break;
                case TranslatedExit.SystemCallFault:
                    MapKernelStack();
                    return Leave(new CpuExit { Kind = ExitKind.SoftwareInterrupt, Vector = Vectors.SystemCall, InstructionEip = cpu->Eip - IntLength });
                case TranslatedExit.SoftwareInterrupt:
                    return Leave(new CpuExit { Kind = ExitKind.SoftwareInterrupt, Vector = (byte)cpu->ExitDetail, InstructionEip = cpu->Eip - IntLength });
            }

            if (Unchained && host == null && (TranslatedExit)cpu->ExitReason != TranslatedExit.NotEntered)
                return Leave(new CpuExit { Kind = ExitKind.Attention, InstructionEip = cpu->Eip });
        }
    }

    /// <inheritdoc/>
    public override void RequestAttention()
    {
        base.RequestAttention();
        _timer.Interrupt();
    }

    /// <inheritdoc/>
    public override void SetDeadline(long deadline, long nanoseconds)
    {
        // The interpreter, when it runs the guest, comes back by its budget: signals would only slow it down.
        if (IsWatched)
            deadline = 0;
        if (deadline == _deadline && !_deadlineSpent)
            return;
        _deadline = deadline;
        _deadlineSpent = false;
        _timer.Arm(deadline == 0 ? -1 : nanoseconds);
    }

    /// <inheritdoc/>
    public override bool PushAsKernel(uint top, ReadOnlySpan<uint> words, out uint bad, out string? killReason) =>
        _interpreter.PushAsKernel(top, words, out bad, out killReason);

    /// <inheritdoc/>
    public override bool TouchAsKernel(uint linear, out string? killReason) => _interpreter.TouchAsKernel(linear, out killReason);

    /// <inheritdoc/>
    protected override void SegmentsChanged() => _interpreter.UpdateMode();

    /// <inheritdoc/>
    protected override void Dispose(bool disposing) => Release();

    private void Release()
    {
        _timer?.Dispose();
        _interpreter.ForeignCode = null;
        FreeSpaces();
        FreeCode();
        _interpreter.Dispose();
    }

    private CpuExit Leave(in CpuExit exit)
    {
        ToLazyFlags();
        return exit;
    }

    private void ToNativeFlags()
    {
        if (_flagsAreNative)
            return;
        Cpu->HostFlags = (Cpu->Flags & NativeFlags) | EFlags.Fixed | EFlags.Interrupt;
        _flagsAreNative = true;
    }

    private void ToLazyFlags()
    {
        if (!_flagsAreNative)
            return;
        _flagsAreNative = false;
        Cpu->Flags = (Cpu->SystemFlags & ~NativeFlags) | ((uint)Cpu->HostFlags & NativeFlags);
    }

    /// <summary>One instruction by the interpreter.</summary>
    /// <param name="number">Its number.</param>
    /// <param name="host">Where to go on in translated code, or null to look.</param>
    /// <param name="exit">Why the run is over.</param>
    /// <returns>Whether it is.</returns>
    private bool Interpret(uint number, out byte* host, out CpuExit exit)
    {
        Interpreted* record = _interpreted + number;
        byte* next = record->Continue;
        uint nextEip = record->NextEip;
        uint drops = _drops;
        ToLazyFlags();
        CodeMode before = _interpreter.Mode;
        uint taskSwitched = Cpu->TaskSwitched;
        host = null;
        if (_interpreter.StepOps(record->HasOps != 0 ? (MicroOp*)record->Ops : null, out exit))
            return true;
        if (next != null && Cpu->Eip == nextEip && drops == _drops && _interpreter.Mode == before && taskSwitched == Cpu->TaskSwitched && ModeIsAsBefore())
            host = next;
        return false;
    }

    /// <summary>The instruction at an EIP, by the interpreter; on by looking.</summary>
    private bool InterpretAt(uint eip, out CpuExit exit)
    {
        ToLazyFlags();
        Cpu->Eip = eip;
        return _interpreter.Step(out exit);
    }

    /// <summary>
    /// The unit remembers where its last instruction was, in the host's code: that becomes the guest's address again before
    /// anything of the guest's can see it. (Data addresses need nothing: their low half is the guest's.) What has not changed since
    /// translated code was entered is the guest's already, and may well look like an address of the host's.
    /// </summary>
    private void HideHostAddresses()
    {
        uint offset = Cpu->Float.InstructionOffset - (uint)(ulong)_codeStart;
        if (offset >= (uint)(_codeNext - _codeStart))
            return;
        Cpu->Float.InstructionOffset = _side.Find(offset + (uint)(_codeStart - _arena.Executable)).Eip;
        Cpu->Float.InstructionSelector = (ushort)Cpu->Cs.Selector;
        Cpu->Float.DataSelector = (ushort)Cpu->Ds.Selector;
    }

    /// <summary>Translated code was interrupted somewhere: finds out where the guest is.</summary>
    private void Interrupted()
    {
        SideTable.Entry place = _side.Find((uint)(Cpu->FaultRip - (ulong)_arena.Executable));
        switch (place.Kind)
        {
            case SideKind.GoingToR10WithEcxInR9:
                Cpu->Registers[(int)GeneralRegister.Ecx] = (uint)Cpu->SavedR9;
                Cpu->Eip = (uint)Cpu->SavedR10;
                break;
            case SideKind.InstructionWithEcxInR9:
                Cpu->Registers[(int)GeneralRegister.Ecx] = (uint)Cpu->SavedR9;
                Cpu->Eip = place.Eip;
                break;
            case SideKind.GoingToR10:
                Cpu->Eip = (uint)Cpu->SavedR10;
                break;
            case SideKind.GoingToWithEcxInR9:
                Cpu->Registers[(int)GeneralRegister.Ecx] = (uint)Cpu->SavedR9;
                Cpu->Eip = place.Eip;
                break;
            default:
                Cpu->Eip = place.Eip;
                break;
        }
    }

    private bool HandleFault(out byte* host, out CpuExit exit)
    {
        SideTable.Entry place = _side.Find((uint)(Cpu->FaultRip - (ulong)_arena.Executable));
        uint eip = place.Eip;
        Cpu->Eip = eip;
        host = null;
        exit = new CpuExit { Kind = ExitKind.Exception, InstructionEip = eip };

        // Misaligned for SSE, or through a segment that does not reach everywhere: the interpreter knows what it comes to.
        if (Cpu->FaultVector == ExceptionVector.GeneralProtection)
            return InterpretAt(eip, out exit);
        if (Cpu->FaultVector != ExceptionVector.PageFault)
        {
            exit.Vector = (byte)Cpu->FaultVector;
            return true;
        }

        ulong offset = Cpu->FaultAddress - Cpu->WindowBase;
        if (offset > uint.MaxValue)
        {
            // Over the edge of the window: an access that wraps around. The interpreter knows how.
            return InterpretAt(eip, out exit);
        }

        uint linear = (uint)offset;
        bool write = (Cpu->FaultError & 2) != 0;
        uint drops = _drops;
        MapResult result = TryMap(linear, write, out uint errorCode, out string? killReason);
        _missed[(int)result]++;
        switch (result)
        {
            case MapResult.Unknown:
            case MapResult.Mapped when drops != _drops:
                return false;
            case MapResult.Mapped:
                // Begun anew: into the middle of a block, whose first floating point instruction has been passed.
                host = _arena.Executable + place.Offset;
                Cpu->FloatResume = Cpu->FloatWasLive;
                return false;
            case MapResult.Fault:
                exit.Vector = ExceptionVector.PageFault;
                exit.ErrorCode = errorCode;
                exit.FaultAddress = linear;
                return true;
            case MapResult.Killed:
                exit.Kind = ExitKind.Killed;
                exit.Reason = killReason;
                return true;
            case MapResult.Code:
                PreferInterpreter(eip, CodeWriteWeight);
                return InterpretAt(eip, out exit);
            default:
                PreferInterpreter(eip, UserAccessWeight);
                return InterpretAt(eip, out exit);
        }
    }
}
