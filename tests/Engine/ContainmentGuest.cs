// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using Lguest.Engine.Check;
using Lguest.Engine.Cpu;
using Lguest.Engine.Memory;
using Lguest.Engine.Native;
using Lguest.Engine.Time;
using Lguest.GuestAbi;
using Lguest.Tests.Contract;
using Lguest.Tests.Differential;
using static Tmds.Linux.LibC;

namespace Lguest.Tests.EngineParts;

/// <summary>
/// A processor in some ring, in lockstep on both engines, with pages of all kinds at the edges of things, and canaries in the
/// host's memory at the same addresses.
/// </summary>
internal sealed unsafe class ContainmentGuest : IDisposable
{
    /// <summary>Data of ring 3: a page that can be written, one that cannot, none, one that is the kernel's, one that can.</summary>
    private const uint UserPages = 0x4400_0000;

    /// <summary>Code of ring 3, two pages.</summary>
    private const uint UserCode = 0x5400_0000;

    /// <summary>The last page below the host's part.</summary>
    private const uint LastPage = 0xFFBF_F000;

    /// <summary>Where the host's part begins: no page table entry in this guest.</summary>
    private const uint HostPart = 0xFFC0_0000;

    private const uint FirstFrame = 0x10_0000;
    private const uint Slots = 2 * Page.Size;
    private const uint Present = 1, Writable = 2, User = 4;
    private const byte CanaryByte = 0xC5;
    private const int FixedNoReplace = 0x10_0000;

    private readonly MappedGuestMemory _memory = MappedGuestMemory.Create([new MemoryRange(0, GuestPlan.MemoryBytes)]);
    private readonly CheckCore _core;
    private readonly XorShift _random;
    private readonly uint _codeStart;
    private readonly List<(nint Address, uint Bytes)> _canaries = [];
    private readonly int _ring;
    private uint _slot;
    private uint _frames;
    private int _looks;

    public ContainmentGuest(int ring, int seed)
    {
        _ring = ring;
        _random = new XorShift((ulong)seed * 0x9E37_79B9_7F4A_7C15);
        TinyGuest.LayOut(_memory);

        // One table for each 4 MiB that is used.
        Map(0, Present | Writable | User);
        Map(UserPages, Present | Writable | User);
        Map(UserPages + Page.Size, Present | User);
        Map(UserPages + (3 * Page.Size), Present | Writable);
        Map(UserPages + (4 * Page.Size), Present | Writable | User);
        Map(UserCode, Present | Writable | User);
        Map(UserCode + Page.Size, Present | Writable | User);
        Map(LastPage, Present | Writable | User);
        ProtectTables();
        DescriptorTable gdt = new();
        Describe(gdt);
        _core = new CheckCore(_memory, gdt, new HostTime());
        _core.SetContext(new GuestContext { KernelStart = GuestPlan.PageOffset });
        _core.LoadPageDirectory(GuestPlan.Directory);
        _core.SetContext(_core.Context with
        {
            Data = new GuestData(_memory, GuestPlan.Data, Generation.Linux2623.Data),
            SystemCallHandler = GuestPlan.Virtual(GuestPlan.Code),
            StackSelector = Selectors.KernelData,
            StackPointer = GuestPlan.Virtual(GuestPlan.TrapStackTop),
        });
        _codeStart = ring == 3 ? UserCode : GuestPlan.Virtual(GuestPlan.Code);
        foreach (uint page in (ReadOnlySpan<uint>)[0x1_0000, UserPages, UserPages + (2 * Page.Size), UserCode, GuestPlan.PageOffset, GuestPlan.PageOffset + 0x1_0000, LastPage, 0xFFFF_F000])
            PlaceCanary(page, Page.Size);
        PlaceCanary(1UL << 32, 4 * Page.Size);
    }

    /// <summary>Addresses at which something begins or ends.</summary>
    public static uint[] Edges { get; } =
    [
        0, 1, 2, 3, 4, 5, 8, 0xFF0, 0xFFC, 0xFFD, 0xFFE, 0xFFF, 0x1000, 0x1_0000, 0xFFFF, UserPages - 4, UserPages - 1, UserPages, UserPages + 8, UserPages + 0x123,
        UserPages + 0xFF1, UserPages + 0xFFC, UserPages + 0xFFE, UserPages + 0x1000, UserPages + 0x1FFD, UserPages + 0x2000, UserPages + 0x2FFF, UserPages + 0x3000, UserPages + 0x3FFE,
        UserPages + 0x4000, UserPages + 0x4040, UserPages + 0x4FFD, UserPages + 0x5000, 0x7FFF_FFFF, 0x8000_0000, GuestPlan.PageOffset - 2, GuestPlan.PageOffset, GuestPlan.PageOffset + GuestPlan.Scratch,
        GuestPlan.PageOffset + GuestPlan.Scratch + 0xFFE, GuestPlan.PageOffset + GuestPlan.MemoryBytes - 2, GuestPlan.PageOffset + GuestPlan.MemoryBytes, LastPage, LastPage + 0xFFC, LastPage + 0xFFE, HostPart - 1,
        HostPart, 0xFFFF_F000, 0xFFFF_FFF0, 0xFFFF_FFFC, 0xFFFF_FFFD, 0xFFFF_FFFE, 0xFFFF_FFFF,
    ];

    /// <summary>Snippets that ended in a fault.</summary>
    public int Faults { get; private set; }

    /// <summary>Those that did not.</summary>
    public int Ends { get; private set; }

    /// <summary>A number below a limit.</summary>
    public int Random(int below) => (int)(_random.Next() % (ulong)below);

    /// <summary>Runs an instruction with an operand in memory, which half of the time is there, or nearly.</summary>
    /// <param name="code">It, up to its ModR/M and SIB bytes.</param>
    /// <param name="modRm">Its ModR/M byte.</param>
    /// <param name="sib">Its SIB byte, if it has one.</param>
    /// <param name="is16">It has the address size prefix.</param>
    public void RunOperand(List<byte> code, int modRm, int sib = 0, bool is16 = false)
    {
        int mode = modRm >> 6;
        bool hasSib = !is16 && (modRm & 7) == 4;
        bool isAbsolute = mode == 0 && (is16 ? (modRm & 7) == 6 : (modRm & 7) == 5 || (hasSib && (sib & 7) == 5));
        int displacementBytes = mode == 1 ? 1 : mode == 2 || isAbsolute ? is16 ? 2 : 4 : 0;
        uint page = (_ring == 3 ? UserPages : GuestPlan.Virtual(GuestPlan.Scratch)) + ((uint)Random(0x100) * 8);
        bool near = Random(2) == 0;
        uint displacement = near ? displacementBytes == 4 ? page : (uint)Random(64) : Random(2) == 0 ? Edge() : (uint)Random(256) - 128;
        code.AddRange(BitConverter.GetBytes(displacement).AsSpan(0, displacementBytes));
        Run(code, () =>
        {
            if (!near)
                return;
            CpuState* cpu = _core.Cpu;
            for (int i = 0; i < 8; i++)
                cpu->Arch.Registers[i] = displacementBytes == 4 || hasSib || is16 ? (uint)Random(32) : page + (uint)Random(0x100);
            if (hasSib && displacementBytes != 4)
                cpu->Arch.Registers[sib & 7] = page;
        });
    }

    /// <summary>Runs an instruction on the stack.</summary>
    public void RunStack(List<byte> code, uint stack) => Run(code, () =>
    {
        _core.Cpu->Arch.Registers[(int)GeneralRegister.Esp] = stack;
        _core.Cpu->Arch.Registers[(int)GeneralRegister.Ebp] = Random(2) == 0 ? stack : Edge();
    });

    /// <summary>Runs a string instruction.</summary>
    public void RunString(List<byte> code, uint target) => Run(code, () =>
    {
        _core.Cpu->Arch.Registers[(int)GeneralRegister.Edi] = target;

        // As many as would reach all over memory only where that is not code or page tables too.
        _core.Cpu->Arch.Registers[(int)GeneralRegister.Ecx] = Random(20) switch { < 6 => (uint)Random(5), < 10 => 0x1000, 10 => _ring == 3 ? uint.MaxValue : 0x1FFF, _ => 0x40 };
    });

    /// <summary>Runs an instruction, with registers at the edges.</summary>
    /// <param name="code">It.</param>
    /// <param name="prepare">Sets registers.</param>
    public void Run(List<byte> code, Action? prepare = null)
    {
        // Whatever follows is nonsense that traps before long.
        code.AddRange([0xCD, 0x1F, 0xCD, 0x1F, 0xCC, 0xCC, 0xCC]);
        uint eip = Place(CollectionsMarshal.AsSpan(code));
        Registers();
        prepare?.Invoke();
        Go(eip);
    }

    /// <summary>Random bytes, entered at each.</summary>
    public void RunFromEverywhere(int length)
    {
        byte[] bytes = new byte[length + 8];
        for (int i = 0; i < length; i++)
            bytes[i] = (byte)_random.Next();
        bytes.AsSpan(length).Fill(0xCC);
        uint eip = Place(bytes);
        for (uint i = 0; i < length; i++)
        {
            Registers();
            Go(eip + i);

            // Then something else is there, as when a kernel patches itself.
            if (Random(4) == 0)
                _memory.Write(Physical(eip + (uint)Random(length)), 1)[0] = (byte)_random.Next();
        }
    }

    /// <summary>MOV to a place ahead, and on into what is there then.</summary>
    public void RunPatching(int number)
    {
        byte[][] patches = [[0xCD, 0x80], [0xCD, 0x1F], [0x90, 0x40], [0xEB, 0xFE], [0xCC, 0xCC], [0xF4, 0xCC], [0x89, 0xE5], [0x8B, 0x05], [0xFF, 0xE0]];
        byte[] patch = patches[number % patches.Length];
        int gap = Random(6);
        Span<byte> code = stackalloc byte[48];
        code.Fill(0x90);
        uint eip = Slot(48);

        // mov word [place], patch
        uint place = eip + 9 + (uint)gap;
        code[0] = 0x66;
        code[1] = 0xC7;
        code[2] = 0x05;
        BitConverter.TryWriteBytes(code[3..], place);
        code[7] = patch[0];
        code[8] = patch[1];
        code[9 + gap + 8] = 0xCD;
        code[9 + gap + 9] = 0x1F;
        code[^2] = 0xCD;
        code[^1] = 0x1F;
        code.CopyTo(_memory.Write(Physical(eip), 48));

        // Twice: the second time what was patched is what was translated.
        for (int i = 0; i < 2; i++)
        {
            Registers();
            Go(eip);
        }
    }

    public void Dispose()
    {
        foreach ((nint address, uint bytes) in _canaries)
        {
            Assert.True(new ReadOnlySpan<byte>((void*)address, (int)bytes).IndexOfAnyExcept(CanaryByte) < 0, $"host memory at 0x{address:x} was written");
            MemoryMap.Unmap((void*)address, bytes);
        }

        _core.Dispose();
        _memory.Dispose();
    }

    private void Go(uint eip)
    {
        CpuState* cpu = _core.Cpu;
        LoadSegments(cpu);
        cpu->Arch.Eip = eip;
        for (int runs = 0; runs < 3; runs++)
        {
            cpu->Attention = 0;
            cpu->Budget = 300;
            CpuExit exit;
            try
            {
                exit = _core.Run();
                if (++_looks % 16 == 0)
                    _core.CompareAllMemory();
            }
            catch (EngineDisagreementException e)
            {
                throw new InvalidOperationException($"{e.Message}\n{e.Report}", e);
            }

            if (exit.Kind == ExitKind.Exception)
                Faults++;
            if (exit.Kind == ExitKind.SoftwareInterrupt)
                Ends++;
            if (exit.Kind != ExitKind.Attention)
                return;
        }
    }

    private void Registers()
    {
        CpuState* cpu = _core.Cpu;
        for (int i = 0; i < 8; i++)
            cpu->Arch.Registers[i] = Random(3) == 0 ? (uint)Random(64) - 32 : Edge();
        if (Random(2) == 0)
            cpu->Arch.Registers[(int)GeneralRegister.Esp] = _ring == 3 ? UserPages + 0x800 : GuestPlan.Virtual(GuestPlan.StackTop);
        cpu->Arch.Flags = EFlags.Interrupt | EFlags.Fixed | ((uint)_random.Next() & (EFlags.Arithmetic | EFlags.Direction));
        cpu->Arch.TaskSwitched = 0;
        for (int i = 160; i < 288; i++)
            cpu->Arch.FxState[i] = (byte)_random.Next();
        cpu->Arch.Float.Control = FxImage.ControlInitial;
        cpu->Arch.Float.Status = 0;
        cpu->Arch.Float.Mxcsr = FxImage.MxcsrMasks;
    }

    private uint Edge() => Edges[Random(Edges.Length)] + (Random(3) == 0 ? (uint)Random(9) - 4 : 0);

    private uint Slot(uint bytes)
    {
        // Not always from the start of a page, so that some reach over its end.
        if (_slot + bytes + 16 > Slots)
            _slot = (uint)Random(16);
        uint slot = _slot;
        _slot += bytes + (uint)Random(8);
        return _codeStart + slot;
    }

    private uint Place(ReadOnlySpan<byte> code)
    {
        uint eip = Slot((uint)code.Length);
        for (int i = 0; i < code.Length; i++)
            _memory.Write(Physical(eip + (uint)i), 1)[0] = code[i];
        return eip;
    }

    private uint Physical(uint linear)
    {
        uint table = _memory.ReadUInt32(GuestPlan.Directory + ((linear >> 22) * 4)) & ~Page.OffsetMask;
        return (_memory.ReadUInt32(table + ((linear >> 12 & 0x3FF) * 4)) & ~Page.OffsetMask) | (linear & Page.OffsetMask);
    }

    private void Map(uint linear, uint rights)
    {
        uint directory = GuestPlan.Directory + ((linear >> 22) * 4);
        uint table = _memory.ReadUInt32(directory) & ~Page.OffsetMask;
        if (table == 0)
        {
            table = Frame();
            _memory.WriteUInt32(directory, table | Present | Writable | User);
        }

        _memory.WriteUInt32(table + ((linear >> 12 & 0x3FF) * 4), Frame() | rights);
    }

    /// <summary>The kernel's part is the kernel's; and what it writes into page tables without a word would be its own fault.</summary>
    private void ProtectTables()
    {
        _memory.WriteUInt32(GuestPlan.Directory + ((GuestPlan.PageOffset >> 22) * 4), GuestPlan.KernelTable | Present | Writable);
        for (uint index = 0; index < GuestPlan.EntriesPerTable; index++)
        {
            if (_memory.ReadUInt32(GuestPlan.Directory + (index * 4)) is var table and not 0)
                _memory.WriteUInt32(GuestPlan.KernelTable + ((table >> Page.Shift) * 4), (table & ~Page.OffsetMask) | Present);
        }

        _memory.WriteUInt32(GuestPlan.KernelTable + ((GuestPlan.Directory >> Page.Shift) * 4), GuestPlan.Directory | Present);
    }

    private uint Frame() => FirstFrame + (_frames++ * Page.Size);

    private static void Describe(DescriptorTable gdt)
    {
        const ulong ring3 = 3UL << 45;
        gdt.Entries[Selectors.KernelCodeIndex] = DescriptorTable.FlatCode;
        gdt.Entries[Selectors.KernelDataIndex] = DescriptorTable.FlatData;
        gdt.Entries[(int)(GuestPlan.UserCode >> 3)] = DescriptorTable.FlatCode | ring3;
        gdt.Entries[(int)(GuestPlan.UserData >> 3)] = DescriptorTable.FlatData | ring3;

        // Flat with a base; with a limit; expanding down; with a base so high that it wraps around.
        gdt.Entries[6] = At(DescriptorTable.FlatData | ring3, UserPages);
        gdt.Entries[7] = (At(DescriptorTable.FlatData | ring3, UserPages) & ~(1UL << 55) & ~0x000F_0000_0000_FFFFUL) | 0x17FF;
        gdt.Entries[8] = (At(DescriptorTable.FlatData | ring3 | (1UL << 42), UserPages) & ~(1UL << 55) & ~0x000F_0000_0000_FFFFUL) | 0x0800;
        gdt.Entries[9] = At(DescriptorTable.FlatData | ring3, 0xFFFF_FF00);
    }

    private static ulong At(ulong descriptor, uint address) =>
        descriptor | ((ulong)(address & 0xFF_FFFF) << 16) | ((ulong)(address >> 24) << 56);

    private void LoadSegments(CpuState* cpu)
    {
        bool user = _ring == 3;
        _core.SetSegment(SegmentName.Cs, user ? GuestPlan.UserCode : Selectors.KernelCode);
        uint data = user ? GuestPlan.UserData : Selectors.KernelData;
        _core.SetSegment(SegmentName.Ss, data);
        _core.SetSegment(SegmentName.Ds, data);
        _core.SetSegment(SegmentName.Es, data);
        _core.SetSegment(SegmentName.Fs, ThreadSegment());
        _core.SetSegment(SegmentName.Gs, ThreadSegment());
        cpu->Arch.Cpl = (uint)_ring;
    }

    private uint ThreadSegment() => Random(6) switch { 0 => 0, 1 => GuestPlan.UserData, 2 => (7 << 3) | 3, 3 => (8 << 3) | 3, 4 => (9 << 3) | 3, _ => (6 << 3) | 3 };

    private void PlaceCanary(ulong address, uint bytes)
    {
        byte* canary = MemoryMap.Map(
            (void*)address, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | FixedNoReplace, -1, 0);
        new Span<byte>(canary, (int)bytes).Fill(CanaryByte);
        _canaries.Add(((nint)canary, bytes));
    }
}
