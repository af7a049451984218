// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using Lguest.Engine.Cpu;
using Lguest.Engine.Interpreter;
using Lguest.Engine.Memory.PageTables;
using Lguest.Engine.Native;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Debugging;
using Lguest.GuestAbi.Generations;

namespace Lguest.Engine.Translator;

// [T:100] The same machine language
/// <summary>
/// The translator: guest code runs as host code, at nearly the host's speed. The interpreter is inside, on the same
/// registers, for single instructions that are not worth translating and for guests that do unusual things with segments.
/// <para>The parts: this file runs translated code, <c>TranslatorCore.Exits.cs</c> handles its exits, <c>TranslatorCore.Blocks.cs</c>
/// says what to enter. <see cref="CodeCache"/> is where the code is kept,
/// <see cref="BlockTranslator"/> how it is made, <see cref="NativeStubs"/> the way in and out, <see cref="KernelPaths"/> what it
/// must know to change rings by itself, <see cref="AddressSpaces"/> how the guest's memory appears in windows,
/// <see cref="NewPagePolicy"/> when a page is worth mapping.</para>
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
    private readonly CodeCache _code;
    private readonly BlockTranslator _translator;
    private readonly KernelPaths _paths;
    private readonly AddressSpaces _spaces;
    private readonly NewPagePolicy _newPages;
    private readonly NativeStubs _stubs;
    private readonly ThreadTimer _timer;
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
            _code = new CodeCache(interpreter, codeBytes);
            _stubs = _code.Stubs;
            _translator = new BlockTranslator(_code, interpreter);
            _paths = new KernelPaths(Cpu, Memory, Gdt, _code, _translator);
            _newPages = new NewPagePolicy(Cpu, interpreter);
            _spaces = new AddressSpaces(Cpu, Walker, interpreter, _code, _newPages);
            _code.Begin(_translator, _spaces);
            Cpu->Translator.HostMxcsr = FxImage.MxcsrMasks;
            Cpu->Translator.BranchTable = _code.Branches.Address;
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

    /// <summary>Whether ring 3 may be interpreted over new pages; else each is mapped when it is missed.</summary>
    internal bool InterpretsNewPages
    {
        get => _newPages.IsOn;
        set => _newPages.IsOn = value;
    }

    /// <summary>The moment at which its timer will interrupt it; 0: none.</summary>
    internal long Deadline => _deadline;

    /// <inheritdoc/>
    public override void SetGeneration(Generation generation)
    {
        base.SetGeneration(generation);
        _interpreter.SetGeneration(generation);
    }

    /// <inheritdoc/>
    public override IDeviceSpace? Devices
    {
        get => _interpreter.Devices;
        set => _interpreter.Devices = value;
    }

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
                if (!progress && !IsWatched && (_interpreter.Mode & Unusual) == 0 && InterpretAt(cpu->Arch.Eip, out CpuExit step))
                    return Leave(step);
                return Leave(new CpuExit { Kind = ExitKind.Attention, InstructionEip = cpu->Arch.Eip });
            }

            if ((_interpreter.Mode & Unusual) != 0 || IsWatched)
            {
                ToLazyFlags();
                return _interpreter.Run();
            }

            if (_newPages.IsAhead(_spaces.Current))
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
                host = _code.Branches.Find(cpu->Arch.Eip, cpu->Translator.BranchKey);
                if (host == null)
                {
                    host = FindForTable(cpu->Arch.Eip, out CpuExit fetchFault);
                    if (host == null)
                        return Leave(fetchFault);
                }
            }

            ToNativeFlags();
            cpu->Translator.EnterTarget = (ulong)host;
            uint floatInstruction = cpu->Arch.Float.InstructionOffset;
            Times?.Enter(RunPhase.Guest);
            _stubs.Enter(cpu);
            Times?.Enter(RunPhase.Engine);
            cpu->Translator.FloatResume = 0;
            progress |= cpu->Translator.ExitReason != (uint)TranslatedExit.NotEntered;

            // System calls change the ring without asking.
            _interpreter.UpdateMode();
            _mode = CurrentMode();
            if (cpu->Translator.FloatWasLive != 0 && cpu->Arch.Float.InstructionOffset != floatInstruction)
                HideHostAddresses();
            _exits[cpu->Translator.ExitReason]++;
            host = null;
            if (Unchained && (TranslatedExit)cpu->Translator.ExitReason is TranslatedExit.Branch or TranslatedExit.Link)
                return Leave(new CpuExit { Kind = ExitKind.Attention, InstructionEip = cpu->Arch.Eip });
            switch ((TranslatedExit)cpu->Translator.ExitReason)
            {
                case TranslatedExit.NotEntered:
                    break;
                case TranslatedExit.Branch:
                    if (!_newPages.IsAhead(_spaces.Current))
                        host = FindForTable(cpu->Arch.Eip, out _);
                    break;
                case TranslatedExit.Link:
                    host = FindForLink(cpu->Arch.Eip, cpu->Translator.ExitDetail);
                    break;
                case TranslatedExit.Interpret:
                    if (Interpret(cpu->Translator.ExitDetail, out host, out CpuExit interpreted))
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
                    if (InterpretAt(cpu->Arch.Eip, out CpuExit here))
                        return Leave(here);
                    if (cpu->Arch.Cpl == Selectors.UserRing && (_interpreter.Mode & Unusual) == 0)
                        _paths.RememberUserSegments();
                    break;
                case TranslatedExit.SystemCallFault:
                    MapKernelStack();
                    return Leave(new CpuExit { Kind = ExitKind.SoftwareInterrupt, Vector = Vectors.SystemCall, InstructionEip = cpu->Arch.Eip - IntLength });
                case TranslatedExit.SoftwareInterrupt:
                    return Leave(new CpuExit { Kind = ExitKind.SoftwareInterrupt, Vector = (byte)cpu->Translator.ExitDetail, InstructionEip = cpu->Arch.Eip - IntLength });
            }

            if (Unchained && host == null && (TranslatedExit)cpu->Translator.ExitReason != TranslatedExit.NotEntered)
                return Leave(new CpuExit { Kind = ExitKind.Attention, InstructionEip = cpu->Arch.Eip });
        }
    }

    /// <inheritdoc/>
    public override void RequestAttention()
    {
        base.RequestAttention();
        _timer.Interrupt();
    }

    /// <inheritdoc/>
    public override bool PushAsKernel(uint top, ReadOnlySpan<uint> words, out uint bad, out string? killReason) =>
        _interpreter.PushAsKernel(top, words, out bad, out killReason);

    /// <inheritdoc/>
    public override bool TouchAsKernel(uint linear, out string? killReason) => _interpreter.TouchAsKernel(linear, out killReason);

    /// <inheritdoc/>
    protected override void ContextChanged(in GuestContext before)
    {
        ref readonly GuestContext now = ref Context;
        if (now.KernelStart != before.KernelStart)
        {
            _spaces.KernelStart = now.KernelStart;
            _translator.KernelStart = now.KernelStart;
        }

        if (now.SystemCallHandler != before.SystemCallHandler || now.SystemCallMasks != before.SystemCallMasks || now.StackSelector != before.StackSelector
            || now.StackPointer != before.StackPointer || now.Data != before.Data)
        {
            _paths.SetSystemCall(in now);
        }

        if (now.DescriptorChanges != before.DescriptorChanges)
            _paths.DescriptorsChanged();
    }

    /// <inheritdoc/>
    protected override void SegmentsChanged() => _interpreter.UpdateMode();

    /// <inheritdoc/>
    protected override void Dispose(bool disposing) => Release();

    private void Release()
    {
        _timer?.Dispose();
        _interpreter.ForeignCode = null;
        _spaces?.Dispose();
        _translator?.Dispose();
        _code?.Dispose();
        _interpreter.Dispose();
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

    private CpuExit Leave(in CpuExit exit)
    {
        ToLazyFlags();
        return exit;
    }

    private void ToNativeFlags()
    {
        if (_flagsAreNative)
            return;
        Cpu->Translator.HostFlags = (Cpu->Arch.Flags & NativeFlags) | EFlags.Fixed | EFlags.Interrupt;
        _flagsAreNative = true;
    }

    private void ToLazyFlags()
    {
        if (!_flagsAreNative)
            return;
        _flagsAreNative = false;
        Cpu->Arch.Flags = (Cpu->Arch.SystemFlags & ~NativeFlags) | ((uint)Cpu->Translator.HostFlags & NativeFlags);
    }
}
