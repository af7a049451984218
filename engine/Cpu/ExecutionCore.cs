// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using Lguest.Engine.Memory.PageTables;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Debugging;
using Lguest.GuestAbi.Generations;

namespace Lguest.Engine.Cpu;

/// <summary>Why a core stopped running guest code.</summary>
public enum ExitKind
{
    /// <summary>Somebody set <see cref="CpuState.Attention"/>, or the budget ran out. EIP is the next instruction.</summary>
    Attention,

    /// <summary>The guest faulted: vector, error code and for vector 14 the address. EIP is the instruction that did it (the next one after a trap).</summary>
    Exception,

    /// <summary><c>int n</c>. EIP is after it; <see cref="CpuExit.InstructionEip"/> at it.</summary>
    SoftwareInterrupt,

    /// <summary>The guest wrote 0xFE to port 0x64: the PC's reset line.</summary>
    Reset,

    /// <summary>The guest did what no guest may: <see cref="CpuExit.Reason"/> says what.</summary>
    Killed,

    /// <summary>A breakpoint: EIP is the instruction, not executed. Or a watchpoint (<see cref="CpuExit.Watch"/>): EIP is behind the access.</summary>
    Debug,
}

/// <summary>Why and where a core stopped.</summary>
public struct CpuExit
{
    /// <summary>The kind of exit.</summary>
    public ExitKind Kind;

    /// <summary>Exception or interrupt vector.</summary>
    public byte Vector;

    /// <summary>The error code, where <see cref="ExceptionVector.PushesErrorCode"/>; else 0.</summary>
    public uint ErrorCode;

    /// <summary>Linear address of a page fault, or of the memory that a watchpoint watches.</summary>
    public uint FaultAddress;

    /// <summary>For <see cref="ExitKind.Debug"/>: the kind of access that a watchpoint saw; none for a breakpoint.</summary>
    public WatchKind Watch;

    /// <summary>Where the instruction began that caused the exit.</summary>
    public uint InstructionEip;

    /// <summary>For <see cref="ExitKind.Killed"/>: the reason, as the genuine hypervisor words it.</summary>
    public string? Reason;
}

// [I:100] A processor without a hypervisor
// What runs guest instructions. It knows registers, segments and page tables; it does not know what a trap or a hypercall means.
// Run returns when something happens that is not a processor's own business, and says what: that is the whole seam between [H:130]
// and an engine.
/// <summary>
/// What runs guest instructions: the processor without its hypervisor. It knows registers, segments and page tables; what a
/// trap or a hypercall means is decided by who calls <see cref="Run"/>.
/// </summary>
public abstract unsafe class ExecutionCore : IDisposable
{
    private readonly bool _shared;
    private CpuState* _cpu;
    private GuestContext _context = new();

    /// <summary>Makes a processor at rest, all registers 0.</summary>
    protected ExecutionCore(GuestMemory memory, DescriptorTable gdt, IGuestTime clock)
    {
        Memory = memory;
        Walker = new PageWalker(memory);
        Gdt = gdt;
        Clock = clock;
        Registers = new CoreRegisters(this);
        _cpu = (CpuState*)NativeMemory.AlignedAlloc(CpuState.ByteSize, 4096);
        new Span<byte>(_cpu, CpuState.ByteSize).Clear();
        _cpu->Arch.Flags = EFlags.Fixed | EFlags.Interrupt;

        // The floating point unit as FNINIT leaves it.
        _cpu->Arch.Float.Control = FxImage.ControlInitial;
        _cpu->Arch.Float.Mxcsr = FxImage.MxcsrMasks;
        _cpu->Arch.Float.MxcsrMask = FxImage.MxcsrValid;
    }

    /// <summary>Shares the registers of another core.</summary>
    protected ExecutionCore(ExecutionCore other, IGuestTime clock)
    {
        Memory = other.Memory;
        Walker = other.Walker;
        Gdt = other.Gdt;
        Clock = clock;
        Registers = new CoreRegisters(this);
        _cpu = other.Cpu;
        _shared = true;
    }

    /// <summary>The registers. Valid until the core is disposed of.</summary>
    public CpuState* Cpu => _cpu;

    /// <summary>The same for those who look into the guest, while it is at rest.</summary>
    public IRegisters Registers { get; }

    /// <summary>Whether <see cref="CpuState.Instructions"/> counts those executed.</summary>
    public virtual bool CountsInstructions => true;

    /// <summary>The guest's memory.</summary>
    public GuestMemory Memory { get; }

    /// <summary>The guest's page tables.</summary>
    internal PageWalker Walker { get; }

    /// <summary>What the guest's processor is and does.</summary>
    internal ProcessorRules Rules { get; private set; } = ProcessorRules.Linux2623;

    /// <summary>The guest's GDT.</summary>
    public DescriptorTable Gdt { get; }

    /// <summary>The guest's time: what RDTSC reads, and what its hypervisor goes by.</summary>
    public IGuestTime Clock { get; }

    /// <summary>Ports and addresses that devices have; null: none. Given before the guest runs.</summary>
    public virtual IDeviceSpace? Devices
    {
        get => Walker.Devices;
        set => Walker.Devices = value;
    }

    /// <summary>Hears when the guest's own code begins and ends to run; null: nobody asks for times.</summary>
    public virtual RunClock? Times { get; set; }

    /// <summary>System calls that were delivered without the hypervisor.</summary>
    public virtual long DirectSystemCalls => 0;

    /// <summary>What the core counts for itself. For the owner's thread.</summary>
    public abstract IReadOnlyList<EngineCounter> Counters { get; }

    /// <summary>Tells which generation the guest speaks, before it runs: what its page tables may hold, and what its processor is.</summary>
    /// <param name="generation">By default the one of 2.6.23.</param>
    public virtual void SetGeneration(Generation generation)
    {
        Walker.Rules = generation.Paging;
        Rules = generation.Processor;
    }

    /// <summary>Runs guest code until something happens that is not the processor's own business.</summary>
    public abstract CpuExit Run();

    /// <summary>
    /// Runs exactly one instruction (one round of a repeated string instruction), whatever breakpoint lies on it. Exits as
    /// <see cref="Run"/> does; <see cref="ExitKind.Attention"/> when nothing happened but the instruction.
    /// </summary>
    public abstract CpuExit Step();

    /// <summary>
    /// Replaces the set of breakpoints. <see cref="Run"/> stops in front of them; guest memory is not changed, so the guest
    /// cannot see them. Not to be called while the guest runs.
    /// </summary>
    /// <param name="addresses">Linear addresses of instructions, in any address space.</param>
    public abstract void SetBreakpoints(IReadOnlySet<uint> addresses);

    /// <summary>Replaces the watchpoints. Not to be called while the guest runs.</summary>
    /// <param name="watchpoints">Any number; they cost only accesses to the pages they lie in.</param>
    public abstract void SetWatchpoints(IReadOnlyList<Watchpoint> watchpoints);

    /// <summary>Tells how the guest's page tables are made from now on. <see cref="LoadPageDirectory"/> follows, and whatever was known of the old ones is forgotten.</summary>
    /// <param name="format">By default two levels.</param>
    public virtual void SetPaging(PagingFormat format)
    {
        Walker.Format = format;
        FlushTlb();
    }

    /// <summary>Switches to another page directory and forgets the user mappings of the last.</summary>
    /// <param name="physical">Its guest physical address.</param>
    public abstract void LoadPageDirectory(uint physical);

    /// <summary>Forgets cached translations: those of the whole address space, or of every one.</summary>
    public abstract void FlushTlb();

    /// <summary>Pages count as clean: of each that <see cref="GuestMemory.Dirty"/> has not, the next write is to be noted there.</summary>
    public abstract void PagesAreClean();

    /// <summary>Forgets the cached user translations of the current address space.</summary>
    public virtual void FlushUserTlb() => FlushTlb();

    /// <summary>Forgets the cached translation of one page of the current address space.</summary>
    public abstract void InvalidatePage(uint linear);

    /// <summary>Forgets the cached translation of one page, in the address space of some page directory.</summary>
    /// <param name="pageDirectory">Guest physical address of the page directory.</param>
    /// <param name="linear">The page.</param>
    public virtual void InvalidatePage(uint pageDirectory, uint linear) => InvalidatePage(linear);

    /// <summary>Forgets the cached translations of all that an entry of a page directory stands for: it was changed.</summary>
    /// <param name="pageDirectory">Guest physical address of the page directory.</param>
    /// <param name="index">Which entry.</param>
    public virtual void InvalidateDirectoryEntry(uint pageDirectory, uint index) => FlushTlb();

    /// <summary>Forgets the cached translations of all that an entry of a directory stands for, which may be part of several address spaces: PAE's middle level.</summary>
    /// <param name="directory">Guest physical address of the directory's page.</param>
    /// <param name="index">Which entry.</param>
    public virtual void InvalidateMiddleEntry(uint directory, uint index) => FlushTlb();

    /// <summary>Asks for <see cref="Run"/> to return soon. Any thread.</summary>
    public virtual void RequestAttention() => Volatile.Write(ref _cpu->Attention, 1);

    /// <summary>What the hypervisor says of its guest.</summary>
    public ref readonly GuestContext Context => ref _context;

    /// <summary>Says something else of the guest, before it runs.</summary>
    public void SetContext(in GuestContext context)
    {
        GuestContext before = _context;
        _context = context;
        ContextChanged(in before);
    }

    /// <summary>Writes words below a linear address, as the kernel (ring 1), whichever ring runs now: a trap's frame.</summary>
    /// <param name="top">Linear address behind the first word pushed.</param>
    /// <param name="words">What to push, in the order of pushing.</param>
    /// <param name="bad">Address that could not be written.</param>
    /// <param name="killReason">Not null: the page tables are such that the guest must die.</param>
    /// <returns>Whether all were written; else some may be.</returns>
    public abstract bool PushAsKernel(uint top, ReadOnlySpan<uint> words, out uint bad, out string? killReason);

    /// <summary>Whether the kernel may write at a linear address; marks the page as used and written if so.</summary>
    /// <param name="linear">The address.</param>
    /// <param name="killReason">Not null: the page tables are such that the guest must die.</param>
    public abstract bool TouchAsKernel(uint linear, out string? killReason);

    /// <summary>Loads a segment register as MOV or a far transfer does, hidden part and all, without privilege checks.</summary>
    public void SetSegment(SegmentName name, uint selector)
    {
        Gdt.TryGet(selector, out ulong descriptor);
        SegmentLoad.SetHidden(ref _cpu->Arch.Segment(name), selector, descriptor);
        if (name == SegmentName.Cs)
            _cpu->Arch.Cpl = selector & 3;
        SegmentsChanged();
    }

    /// <summary>
    /// When the hypervisor wants to look at its clock next. Said before each run, and so not with the rest, which seldom changes: a copy of
    /// it all for every run cost a hypercall a tenth.
    /// </summary>
    /// <param name="deadline">A name for that moment: a new one is another moment; 0: never.</param>
    /// <param name="nanoseconds">How far away it is.</param>
    public abstract void SetDeadline(long deadline, long nanoseconds);

    /// <summary><see cref="Context"/> is another one.</summary>
    /// <param name="before">What it was.</param>
    protected abstract void ContextChanged(in GuestContext before);

    /// <summary>Told after segment registers were changed from outside.</summary>
    protected abstract void SegmentsChanged();

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_cpu == null)
            return;
        Dispose(disposing: true);
        if (!_shared)
            NativeMemory.AlignedFree(_cpu);
        _cpu = null;
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees what the derived core holds.</summary>
    protected abstract void Dispose(bool disposing);
}
