// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Engine.Cpu;

/// <summary>
/// A place in the <see cref="CpuState"/> that emitted code reaches: the table of all that it does. Each has the name of its field,
/// where it is explained. Offsets come from the struct itself, and there is no way to make a place of a number: so code that is
/// emitted with this cannot be wrong about where something is, and what it touches can be read here.
/// </summary>
internal readonly struct State
{
    /// <summary>Only for its shape.</summary>
    private static CpuState s_shape;

    public static readonly State Eip = At(ref s_shape.Arch.Eip);
    public static readonly State Attention = At(ref s_shape.Attention);
    public static readonly State Cpl = At(ref s_shape.Arch.Cpl);
    public static readonly unsafe State FxState = At(ref s_shape.Arch.FxState[0]);
    public static readonly State Mxcsr = At(ref s_shape.Arch.Float.Mxcsr);
    public static readonly unsafe State Scratch = At(ref s_shape.Scratch[0]);
    public static readonly unsafe State ScratchByte1 = At(ref s_shape.Scratch[1]);

    public static readonly State ExitReason = At(ref s_shape.Translator.ExitReason);
    public static readonly State ExitDetail = At(ref s_shape.Translator.ExitDetail);
    public static readonly State FaultRip = At(ref s_shape.Translator.FaultRip);
    public static readonly State FaultAddress = At(ref s_shape.Translator.FaultAddress);
    public static readonly State FaultError = At(ref s_shape.Translator.FaultError);
    public static readonly State FaultVector = At(ref s_shape.Translator.FaultVector);
    public static readonly State SavedR9 = At(ref s_shape.Translator.SavedR9);
    public static readonly State SavedR10 = At(ref s_shape.Translator.SavedR10);

    public static readonly State EnterTarget = At(ref s_shape.Translator.EnterTarget);
    public static readonly State HostStack = At(ref s_shape.Translator.HostStack);
    public static readonly State HostFlags = At(ref s_shape.Translator.HostFlags);
    public static readonly State HostMxcsr = At(ref s_shape.Translator.HostMxcsr);
    public static readonly State WindowBase = At(ref s_shape.Translator.WindowBase);
    public static readonly State BranchKey = At(ref s_shape.Translator.BranchKey);
    public static readonly State BranchTable = At(ref s_shape.Translator.BranchTable);

    public static readonly State FloatLive = At(ref s_shape.Translator.FloatLive);
    public static readonly State FloatResume = At(ref s_shape.Translator.FloatResume);
    public static readonly State FloatWasLive = At(ref s_shape.Translator.FloatWasLive);

    public static readonly State ExtraFlags = At(ref s_shape.Translator.ExtraFlags);
    public static readonly State NegatedEs = At(ref s_shape.Translator.NegatedEs);
    public static readonly State NegatedDs = At(ref s_shape.Translator.NegatedDs);
    public static readonly State FsBias = At(ref s_shape.Translator.FsBias);
    public static readonly State GsBias = At(ref s_shape.Translator.GsBias);
    public static readonly State FsBeginningBias = At(ref s_shape.Translator.FsBeginningBias);
    public static readonly State GsBeginningBias = At(ref s_shape.Translator.GsBeginningBias);

    public static readonly State SystemCallEntry = At(ref s_shape.Translator.SystemCallEntry);
    public static readonly State SystemCallTail = At(ref s_shape.Translator.SystemCallTail);
    public static readonly State InterruptReturnEntry = At(ref s_shape.Translator.InterruptReturnEntry);
    public static readonly State InterruptReturnTail = At(ref s_shape.Translator.InterruptReturnTail);
    public static readonly State KernelWindowBase = At(ref s_shape.Translator.KernelWindowBase);
    public static readonly State KernelBranchKey = At(ref s_shape.Translator.KernelBranchKey);
    public static readonly State UserWindowBase = At(ref s_shape.Translator.UserWindowBase);
    public static readonly State UserBranchKey = At(ref s_shape.Translator.UserBranchKey);
    public static readonly State IrqEnabledAddress = At(ref s_shape.Translator.IrqEnabledAddress);
    public static readonly State MaskAddress = At(ref s_shape.Translator.MaskAddress);
    public static readonly State KernelStack = At(ref s_shape.Translator.KernelStack);
    public static readonly State SystemCalls = At(ref s_shape.Translator.SystemCalls);

    public static readonly SegmentPlace KernelCs = new(At(ref s_shape.Translator.KernelCs));
    public static readonly SegmentPlace KernelSs = new(At(ref s_shape.Translator.KernelSs));
    public static readonly SegmentPlace UserCs = new(At(ref s_shape.Translator.UserCs));
    public static readonly SegmentPlace UserSs = new(At(ref s_shape.Translator.UserSs));
    public static readonly CandidatePlace FsCandidate0 = new(At(ref s_shape.Translator.FsCandidate0));
    public static readonly CandidatePlace FsCandidate1 = new(At(ref s_shape.Translator.FsCandidate1));
    public static readonly CandidatePlace GsCandidate0 = new(At(ref s_shape.Translator.GsCandidate0));
    public static readonly CandidatePlace GsCandidate1 = new(At(ref s_shape.Translator.GsCandidate1));

    // Each is the first of several.
    private static readonly unsafe State s_registers = At(ref s_shape.Arch.Registers[0]);
    private static readonly unsafe State s_vectors = At(ref s_shape.Arch.Float.Xmm[0]);
    private static readonly State s_segments = At(ref s_shape.Arch.Es);

    // What an op of the interpreter names, which has a byte for that.
    public static readonly State Zero = At(ref s_shape.Interpreter.Zero);
    public static readonly State EffectiveAddress = At(ref s_shape.Interpreter.EffectiveAddress);

    private State(int offset) => Offset = offset;

    /// <summary>Bytes from the beginning of the state.</summary>
    public int Offset { get; }

    /// <summary>32 bits there, for code whose %r13 points to the state.</summary>
    public AssemblerMemoryOperand Dword => __dword_ptr[r13 + Offset];

    /// <summary>64 bits there, likewise.</summary>
    public AssemblerMemoryOperand Qword => __qword_ptr[r13 + Offset];

    /// <summary>As many bits as the instruction says.</summary>
    public AssemblerMemoryOperand Bytes => __[r13 + Offset];

    /// <summary>A general register, 32 bits.</summary>
    public static State Register(GeneralRegister register) => s_registers.Plus((int)register * sizeof(uint));

    /// <summary>%xmm0 to %xmm7, 128 bits.</summary>
    public static State Vector(int number) => s_vectors.Plus(number * FxImage.RegisterStride);

    /// <summary>A segment register.</summary>
    public static SegmentPlace Segment(SegmentName segment) => new(s_segments.Plus((int)segment * Unsafe.SizeOf<SegmentRegister>()));

    /// <summary>The place for code whose pointer to the state is in another register: a signal handler has interrupted anything.</summary>
    public AssemblerMemoryOperand From(AssemblerRegister64 state) => __[state + Offset];

    /// <summary>The same, where the instruction does not say how many bits: 32.</summary>
    public AssemblerMemoryOperand DwordFrom(AssemblerRegister64 state) => __dword_ptr[state + Offset];

    private State Plus(int bytes) => new(Offset + bytes);

    private static State At<T>(ref T field) => new(Distance(ref s_shape, ref field));

    private static int Distance<TWhole, TField>(ref TWhole whole, ref TField field) =>
        (int)Unsafe.ByteOffset(ref Unsafe.As<TWhole, byte>(ref whole), ref Unsafe.As<TField, byte>(ref field));

    /// <summary>A segment register with its hidden part: 16 bytes, which emitted code copies as two halves.</summary>
    internal readonly struct SegmentPlace(State start)
    {
        private static SegmentRegister s_shape;

        /// <summary>32 bits.</summary>
        public State Selector => start.Plus(Distance(ref s_shape, ref s_shape.Selector));

        /// <summary>32 bits.</summary>
        public State Base => start.Plus(Distance(ref s_shape, ref s_shape.Base));

        /// <summary>32 bits.</summary>
        public State Attributes => start.Plus(Distance(ref s_shape, ref s_shape.Attributes));

        /// <summary>Selector and base, 64 bits.</summary>
        public State LowHalf => Selector;

        /// <summary>Limit and attributes, 64 bits.</summary>
        public State HighHalf => start.Plus(Distance(ref s_shape, ref s_shape.Limit));
    }

    /// <summary>A <see cref="SegmentCandidate"/>.</summary>
    internal readonly struct CandidatePlace(State start)
    {
        private static SegmentCandidate s_shape;

        /// <summary>What would be loaded.</summary>
        public SegmentPlace Segment => new(start.Plus(Distance(ref s_shape, ref s_shape.Segment)));

        /// <summary>64 bits.</summary>
        public State Bias => start.Plus(Distance(ref s_shape, ref s_shape.Bias));

        /// <summary>64 bits.</summary>
        public State BeginningBias => start.Plus(Distance(ref s_shape, ref s_shape.BeginningBias));

        /// <summary>32 bits.</summary>
        public State Negated => start.Plus(Distance(ref s_shape, ref s_shape.Negated));
    }
}
