// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Cpu;
using Lguest.Engine.Interpreter;
using Lguest.Engine.Memory;
using Lguest.Engine.Memory.PageTables;
using Lguest.Engine.Translator;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Debugging;
using Lguest.GuestAbi.Generations;

namespace Lguest.Engine.Check;

// [M:100] Two engines, and one of them is wrong
/// <summary>
/// Both engines in lockstep. For each block the interpreter goes first, on registers of its own and on the guest's memory,
/// and what it wrote is taken back; then the translator runs the same block, and this time it counts: registers, flags,
/// floating point state, fault and memory must be the same. The first disagreement ends the guest: <see cref="EngineDisagreementException"/>.
/// <para>The parts: this file runs both, <c>CheckCore.Compare.cs</c> compares, <c>CheckCore.Undefined.cs</c> and
/// <c>CheckCore.Tables.cs</c> know where a processor is free, <c>WriteJournal</c> and <c>ShadowMemory</c> know what was written,
/// <c>DisagreementReport</c> is what a user sees.</para>
/// </summary>
public sealed unsafe partial class CheckCore : ExecutionCore, IHostWriteObserver
{
    private readonly TranslatorCore _translator;
    private readonly InterpreterCore _oracle;
    private readonly ClockTape _tape;
    private readonly WriteJournal _journal;
    private readonly ShadowMemory _shadow;
    private readonly List<(uint Physical, int Size)> _hostWrites = [];
    private readonly List<uint> _path = [];
    private ArchState _before;
    private uint _pageDirectory;
    private long _nextWholeComparison;

    /// <summary>Makes a processor at rest. It belongs to the calling thread.</summary>
    /// <exception cref="PlatformNotSupportedException">The translator does not run on this host.</exception>
    /// <exception cref="System.ComponentModel.Win32Exception">The host refuses memory, address space or executable mappings.</exception>
    /// <exception cref="InvalidOperationException">Too many engines in one process.</exception>
    public CheckCore(GuestMemory memory, DescriptorTable gdt, IGuestTime clock)
        : this(MakeBoth(memory, gdt, new ClockTape(clock)), clock)
    {
    }

    private CheckCore((InterpreterCore Oracle, TranslatorCore Translator, ClockTape Tape) both, IGuestTime clock)
        : base(both.Translator, clock)
    {
        _tape = both.Tape;
        _oracle = both.Oracle;
        _translator = both.Translator;
        Memory.AddObserver(this);
        _journal = new WriteJournal(Memory);
        _oracle.ForeignCode = _journal;
        _oracle.FlushTlb();

        // There it would be the interpreter's work, not the translator's.
        _translator.InterpretsNewPages = false;
        try
        {
            _shadow = new ShadowMemory(Memory);
            _tables = new TableChanges(Memory, Walker);
        }
        catch
        {
            Release();
            throw;
        }

        WholeComparisonInterval = 2_000_000;
    }

    private static (InterpreterCore Oracle, TranslatorCore Translator, ClockTape Tape) MakeBoth(GuestMemory memory, DescriptorTable gdt, ClockTape tape)
    {
        InterpreterCore oracle = new(memory, gdt, tape.Recorded);
        try
        {
            return (oracle, new TranslatorCore(memory, gdt, tape.Replayed) { Unchained = true }, tape);
        }
        catch
        {
            oracle.Dispose();
            throw;
        }
    }

    /// <summary>Instructions that both engines agreed on.</summary>
    public long Instructions { get; private set; }

    /// <summary>Blocks that they ran for that.</summary>
    public long Blocks { get; private set; }

    /// <summary>How often all of memory was compared.</summary>
    public long WholeComparisons { get; private set; }

    /// <summary>How often the interpreter ran the guest by itself, so that there was nothing to compare.</summary>
    public long Unchecked { get; private set; }

    /// <summary>Blocks on which both agree for some values of what is undefined: flags, where a floating-point instruction was.</summary>
    public long UndefinedLooks { get; private set; }

    /// <summary>Of those, blocks with more possible outcomes than are tried: accepted without being judged.</summary>
    public long Unjudged { get; private set; }

    /// <summary>Instructions between two looks at all of memory.</summary>
    internal long WholeComparisonInterval
    {
        get;
        init
        {
            field = value;
            _nextWholeComparison = value;
        }
    }

    /// <summary>For tests: called before the translator runs a block, which it may spoil.</summary>
    internal Action<CheckCore, Block>? Spoil { get; set; }

    /// <summary>For tests: called behind it.</summary>
    internal Action<CheckCore>? SpoilResult { get; set; }

    /// <summary>The translator.</summary>
    internal TranslatorCore Translator => _translator;

    /// <summary>A sentence on what was done.</summary>
    public string Summary =>
        $"both engines agree on {Instructions:N0} instructions in {Blocks:N0} blocks; all of memory was compared {WholeComparisons:N0} times; {Unchecked:N0} stretches were the interpreter's alone, {UndefinedLooks:N0} blocks looked at what is undefined ({Unjudged:N0} at too much to be judged), and {Freedoms:N0} changed what they were made of";

    /// <inheritdoc/>
    public override RunClock? Times
    {
        get => _translator.Times;
        set => _translator.Times = value;
    }

    /// <inheritdoc/>
    public override long DirectSystemCalls => _translator.DirectSystemCalls;

    /// <inheritdoc/>
    public override IReadOnlyList<EngineCounter> Counters =>
    [
        new("instructions compared", Instructions),
        new("blocks compared", Blocks),
        new("comparisons of all memory", WholeComparisons),
        new("stretches that were the interpreter's alone", Unchecked),
        new("blocks that looked at what is undefined", UndefinedLooks),
        new("blocks not judged, of those", Unjudged),
        new("blocks that changed what they were made of", Freedoms),
        .. _translator.Counters,
    ];

    /// <inheritdoc/>
    public override CpuExit Run()
    {
        TakeHostWrites();
        long budget = Cpu->Budget;
        for (bool first = true; ; first = false)
        {
            if (!first && (budget < 0 || Volatile.Read(ref Cpu->Attention) != 0))
                return new CpuExit { Kind = ExitKind.Attention, InstructionEip = Cpu->Arch.Eip };
            if (_translator.IsInterpreting)
            {
                Cpu->Budget = (int)Math.Max(budget, 0);
                return RunUnchecked(_translator.Run());
            }

            if (_translator.IsAtForeignCode)
                return RunUnchecked(RunForeignCode());

            if (RunBlock(out CpuExit exit))
                return exit;
            budget -= _path.Count;
        }
    }

    /// <inheritdoc/>
    public override CpuExit Step()
    {
        TakeHostWrites();
        return RunUnchecked(_translator.Step());
    }

    /// <inheritdoc/>
    public void HostWrites(uint address, uint length)
    {
        // Both engines observe the memory themselves.
        _hostWrites.Add((address, (int)length));
    }

    /// <inheritdoc/>
    public override void PagesAreClean()
    {
        _translator.PagesAreClean();
        _oracle.PagesAreClean();
    }

    /// <inheritdoc/>
    public override void SetBreakpoints(IReadOnlySet<uint> addresses) => _translator.SetBreakpoints(addresses);

    /// <inheritdoc/>
    public override void SetWatchpoints(IReadOnlyList<Watchpoint> watchpoints) => _translator.SetWatchpoints(watchpoints);

    /// <inheritdoc/>
    public override void SetGeneration(Generation generation)
    {
        _translator.SetGeneration(generation);
        _oracle.SetGeneration(generation);
    }

    /// <inheritdoc/>
    public override bool PushAsKernel(uint top, ReadOnlySpan<uint> words, out uint bad, out string? killReason)
    {
        bool pushed = _translator.PushAsKernel(top, words, out bad, out killReason);

        // Others may change the tables between the push and this walk of them.
        _strayed |= _tables.AreForeign;

        // Byte by byte, for a stack that is not aligned may cross a page anywhere.
        for (uint linear = top - ((uint)words.Length * sizeof(uint)); linear != top; linear++)
        {
            if (Walker.Walk(_pageDirectory, linear, write: false, user: false, out Translation found) != WalkResult.Ok)
                continue;
            uint physical = found.Frame + (linear & Page.OffsetMask);
            _oracle.HostWrites(physical, 1);
            TakeIntoShadow(physical, 1);
        }

        return pushed;
    }

    /// <inheritdoc/>
    public override bool TouchAsKernel(uint linear, out string? killReason) => _translator.TouchAsKernel(linear, out killReason);

    /// <inheritdoc/>
    protected override void ContextChanged(in GuestContext before) => _translator.SetContext(Context);

    /// <inheritdoc/>
    public override void SetDeadline(long deadline, long nanoseconds)
    {
        // It goes block by block and is back in time by counting. A signal amid a block is one amid an instruction, of which half may be
        // done that will be done again: a state that the interpreter never has.
    }

    /// <inheritdoc/>
    protected override void SegmentsChanged()
    {
        // Both look by themselves before they run.
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing) => Release();

    private void Release()
    {
        _translator.Dispose();
        _oracle.Dispose();
        _shadow?.Dispose();
        Memory.RemoveObserver(this);
    }

    /// <summary>A block by both.</summary>
    /// <param name="exit">What the translator stopped for.</param>
    /// <returns>Whether it is the hypervisor's turn.</returns>
    private bool RunBlock(out CpuExit exit)
    {
        _before = Cpu->Arch;
        _tape.Clear();
        Block? block = _translator.NextBlock();
        Stretch expected = RunOracleOnTables(ref block, out bool free);
        if (expected.ReachesDevice)
            return RunToDevice(in expected, out exit);
        if (block is not null)
            Spoil?.Invoke(this, block);
        int idle = 0;
        do
        {
            _tape.Rewind();
            exit = _translator.Run();
        }
        while (exit.Kind == ExitKind.Attention && !free && (IsBetweenRounds(in expected) || (HasNotBegun(in expected) && ++idle < 3))
            && !_translator.IsInterpreting);
        SpoilResult?.Invoke(this);
        if (free)
            TakeUncompared();
        else
            Agree(in expected, in exit);
        RememberBlock();
        Blocks++;
        Instructions += _path.Count;
        Cpu->Instructions += (ulong)_path.Count;
        if (Instructions >= _nextWholeComparison)
            CompareAllMemory();
        return exit.Kind != ExitKind.Attention;
    }

    /// <summary>The interpreter's turn, from where the block began; memory is as before when it returns.</summary>
    /// <param name="end">Where the block ends.</param>
    /// <param name="limit">Instructions at most.</param>
    /// <param name="delivers">A system call at its end is the processor's, as it is when the translator makes it.</param>
    private Stretch RunOracle(uint end, int limit, bool delivers = false)
    {
        _oracle.Cpu->Arch = _before;
        _tape.Rewind();
        _journal.Open();
        Stretch stretch = default;
        try
        {
            stretch.HasExit = _oracle.RunStretch(end, limit, _path, out stretch.Exit);
        }
        catch (DeviceReachedException)
        {
            stretch.ReachesDevice = true;
            delivers = false;
        }

        stretch.End = end;
        stretch.Delivers = delivers;
        if (delivers)
            stretch.HasExit = !DeliverSystemCall();
        _journal.TakeBack();
        return stretch;
    }

    /// <summary>The interpreter's turn once more, when the translator has had its own: less far, or further.</summary>
    private Stretch RunOracleAgain(IMemoryChange translated, uint end, int limit, bool delivers)
    {
        translated.TakeBack();
        Stretch stretch = RunOracle(end, limit, delivers);
        translated.DoAgain();

        // It may know code that was written past the place where the translator stopped.
        if (!delivers)
            _oracle.ForgetDecoded();
        return stretch;
    }

    /// <summary>What the processor does at INT 0x80, and the hypervisor when the processor does not.</summary>
    private bool DeliverSystemCall()
    {
        CpuState* cpu = _oracle.Cpu;
        uint flags = (cpu->Arch.Flags & ~EFlags.Interrupt) | ((Context.Data!.TakesInterrupts ? EFlags.Interrupt : 0));
        Span<uint> frame = [cpu->Arch.Ss.Selector, cpu->Arch.Registers[(int)GeneralRegister.Esp], flags, cpu->Arch.Cs.Selector, cpu->Arch.Eip];
        uint stackBase = Gdt.TryGet(Context.StackSelector, out ulong descriptor) ? SegmentLoad.Base(descriptor) : 0;
        if (!_oracle.PushAsKernel(stackBase + Context.StackPointer, frame, out _, out _))
            return false;
        if (Context.SystemCallMasks)
            _oracle.WriteAsHost(Context.Data.Address + GuestDataLayout.IrqEnabled, 0);
        cpu->Arch.Registers[(int)GeneralRegister.Esp] = Context.StackPointer - ((uint)frame.Length * sizeof(uint));
        cpu->Arch.SystemFlags &= ~(EFlags.Trap | EFlags.NestedTask | EFlags.Resume);
        _oracle.SetSegment(SegmentName.Ss, Context.StackSelector);
        _oracle.SetSegment(SegmentName.Cs, Selectors.KernelCode);
        cpu->Arch.Eip = Context.SystemCallHandler!.Value;
        return true;
    }

    private CpuExit RunUnchecked(CpuExit exit)
    {
        // What it wrote nobody has seen.
        Unchecked++;
        TakeStrays();
        return exit;
    }

    private void TakeHostWrites()
    {
        foreach ((uint physical, int size) in _hostWrites)
            TakeIntoShadow(physical, size);
        _hostWrites.Clear();
        if (Context.Data is { } data)
            TakeIntoShadow(data.Address, (int)data.Layout.Size);
    }

    private struct Stretch
    {
        public uint End;
        public bool Delivers;
        public bool ReachesDevice;
        public bool HasExit;
        public CpuExit Exit;
    }
}
