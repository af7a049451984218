// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Lguest.Engine.Cpu;
using Lguest.Engine.Memory;
using Lguest.Engine.Native;
using Lguest.GuestAbi;

namespace Lguest.Engine.Interpreter;

/// <summary>
/// Where decoded code is kept. Blocks are found by physical address (and virtual: their instructions know their EIP, and the
/// mode: flat segments or not), so that a page directory switch costs no decoding. Each frame knows which of its 64-byte
/// granules were decoded and by which blocks; whoever writes there, the guest through any mapping or a device, makes them go.
/// </summary>
public sealed unsafe partial class InterpreterCore
{
    private const int JumpEntries = 8192;
    private const int JumpCacheBytes = JumpEntries * 16;
    private const int HashSize = 1 << 15;
    private const int ArenaOps = 600_000;

    private const int JumpPageWords = 64;

    private readonly BlockBuilder _builder;
    private readonly ulong[] _jumpPages = new ulong[JumpPageWords];
    private readonly GrowingTable<Block> _blocks = new();
    private int _blockCount = 1; // 0 = none
    private int* _hash;
    private ulong* _granules;
    private int* _frameBlocks;
    private ulong _frames;
    private MicroOp* _arena;
    private MicroOp* _arenaNext;
    private uint _generation;
    private CodeMode _mode;

    /// <summary>Counts how often all blocks were thrown away: a pointer to an op does not survive that.</summary>
    internal uint Epoch { get; private set; }

    /// <summary>Blocks decoded so far.</summary>
    internal long BlocksDecoded { get; private set; }

    /// <summary>Room that decoded code takes now.</summary>
    internal long DecodedBytes => (byte*)_arenaNext - (byte*)_arena;

    /// <summary>The mode that code is decoded for now.</summary>
    internal CodeMode Mode => _mode;

    // What is known of each frame: its granules, and after those of all frames its blocks.
    private nuint FrameBytes => (nuint)(_frames + 1) * (sizeof(ulong) + sizeof(int));

    /// <summary>Free room for at least one block's ops.</summary>
    internal MicroOp* ArenaNext => _arenaNext;

    /// <inheritdoc/>
    public void HostWrites(uint address, uint length)
    {
        for (ulong at = address, end = address + (ulong)length; at < end; at = (at & ~(ulong)Page.OffsetMask) + Page.Size)
        {
            if (_granules[at >> Page.Shift] != 0 || ForeignCode is not null)
                CodeWillChange(Memory.Base + at, (int)Math.Min(end - at, Page.Size - (at & Page.OffsetMask)));
        }
    }

    /// <summary>The block at an EIP of the current mode, decoded if need be; null with an exit when it cannot be fetched.</summary>
    internal MicroOp* FindBlock(uint eip)
    {
        JumpEntry* jump = Jump(Cpu, eip);
        if (jump->Eip == eip && jump->Key == Cpu->Interpreter.JumpKey)
            return jump->First;
        if (!TryTranslateFetch(eip, out uint physical))
            return null;
        int bucket = Bucket(physical);
        for (int id = _hash[bucket]; id != 0; id = _blocks[id].NextInHash)
        {
            ref Block block = ref _blocks[id];
            if (block.Physical == physical && block.Eip == eip && block.Mode == _mode
                && (block.Bytes2 == 0 || TranslateFetch((eip & ~Page.OffsetMask) + Page.Size) == block.Physical2))
            {
                return Remember(jump, eip, block.First);
            }
        }

        return Remember(jump, eip, AddBlock(eip, physical, bucket));
    }

    /// <summary>Whether decoded code lies in a frame.</summary>
    internal bool HasCode(uint physical) =>
        _granules[physical >> Page.Shift] != 0 || (ForeignCode is { } foreign && foreign.HasCode(physical));

    /// <summary>Somebody is about to write these bytes, all of one page: code decoded from them must go.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void CodeWillChange(byte* host, int size)
    {
        ulong physical = (ulong)(host - Memory.Base);
        ulong granules = _granules[physical >> Page.Shift];
        if (granules != 0 && (granules & CodeGranules.Mask((uint)physical & Page.OffsetMask, size)) != 0)
            DropBlocks((uint)physical, size);
        ForeignCode?.WillChange((uint)physical, size);
    }

    /// <summary>
    /// An instruction that has just written to a page, and whose registers say so, goes on there, to the page's end or for so many bytes:
    /// code that was decoded from them goes now. Should the instruction not come so far, that code is decoded again. What faults here
    /// would have faulted at its next element.
    /// </summary>
    internal void WillOverwrite(uint linear, uint bytes)
    {
        uint offset = linear & Page.OffsetMask;
        if (offset == 0 || bytes == 0)
            return;
        byte* place = Translate(linear, write: true);
        if (!IsDevice(place))
            CodeWillChange(place, (int)Math.Min(bytes, Page.Size - offset));
    }

    /// <summary>A transfer of control: the next op if it is known, else null with EIP set.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static MicroOp* JumpTo(CpuState* cpu, uint target, int executed)
    {
        cpu->Budget -= executed;
        cpu->Arch.Eip = target;
        if ((cpu->Budget | -cpu->Attention) < 0)
            return null;
        JumpEntry* entry = Jump(cpu, target);
        return entry->Eip == target && entry->Key == cpu->Interpreter.JumpKey ? entry->First : null;
    }

    /// <summary>A direct branch within its page: linked to its target the first time.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal MicroOp* Branch(CpuState* cpu, MicroOp* op, uint target, int executed)
    {
        cpu->Budget -= executed;
        if ((cpu->Budget | -cpu->Attention) < 0)
        {
            cpu->Arch.Eip = target;
            return null;
        }

        return op->Link != null ? op->Link : BranchSlow(cpu, op, target);
    }

    /// <summary>Recomputes what depends on segments, ring and flags. True if the code at hand was decoded for another mode.</summary>
    internal bool UpdateMode()
    {
        CpuState* cpu = Cpu;
        CodeMode mode = CodeMode.None;
        bool user = cpu->Arch.Cpl == Selectors.UserRing;
        if (user)
        {
            mode |= CodeMode.User;
            if ((cpu->Arch.SystemFlags & EFlags.AlignmentCheck) != 0)
                mode |= CodeMode.AlignmentCheck;
        }

        if (!IsFlatData(cpu->Arch.Ds))
            mode |= CodeMode.DsNotFlat;
        if (!IsFlatData(cpu->Arch.Es))
            mode |= CodeMode.EsNotFlat;
        if (!IsFlatData(cpu->Arch.Ss) || (cpu->Arch.Ss.Attributes & SegmentLoad.BigBit) == 0)
            mode |= CodeMode.SsNotFlat;
        if ((cpu->Arch.Cs.Attributes & SegmentLoad.BigBit) == 0)
            mode |= CodeMode.Code16;
        if (cpu->Arch.Cs.Base != 0 || cpu->Arch.Cs.Limit != uint.MaxValue || (cpu->Arch.SystemFlags & EFlags.Trap) != 0 || _singleStep)
            mode |= CodeMode.Single;
        cpu->Interpreter.Tlb = user ? _userTlb : _kernelTlb;
        if (mode == _mode)
            return false;
        _mode = mode;
        cpu->Interpreter.JumpKey = (_generation << 8) | (uint)mode;
        return true;
    }

    /// <inheritdoc/>
    protected override void SegmentsChanged()
    {
        UpdateMode();
        Cpu->Interpreter.JumpKey = (_generation << 8) | (uint)_mode;
    }

    private static bool IsFlatData(in SegmentRegister segment) => segment.Base == 0 && segment.IsWide;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static JumpEntry* Jump(CpuState* cpu, uint eip) =>
        (JumpEntry*)(cpu->Interpreter.JumpCache + (((eip ^ (eip >> 13)) & (JumpEntries - 1)) << 4));

    private static int Bucket(uint physical) => (int)((physical ^ (physical >> 15)) & (HashSize - 1));

    private static MicroOp* Stale(InterpreterCore core, CpuState* cpu, MicroOp* op)
    {
        core._wentStale = true;
        cpu->Budget -= op->Position;
        cpu->Arch.Eip = op->Eip;
        return null;
    }

    private MicroOp* BranchSlow(CpuState* cpu, MicroOp* op, uint target)
    {
        cpu->Arch.Eip = target;
        if (_faultPending)
            return null;
        if (_stepping || (_mode & CodeMode.Single) != 0 || ((target ^ op->Eip) & ~Page.OffsetMask) != 0)
            return JumpTo(cpu, target, 0);
        _current = null;
        uint epoch = Epoch;
        MicroOp* first = FindBlock(target);

        // An instruction that may reach into the next page is not linked: the link would outlive that page's mapping, which
        // only finding the block again looks at.
        if (epoch == Epoch && (target & Page.OffsetMask) <= Page.Size - BlockBuilder.MaxInstructionBytes)
            op->Link = first;
        return first;
    }

    private MicroOp* Remember(JumpEntry* jump, uint eip, MicroOp* first)
    {
        jump->Eip = eip;
        jump->Key = Cpu->Interpreter.JumpKey;
        jump->First = first;
        MarkJumpedTo(eip);

        // The instruction there may reach into the next page, which is then as good a reason to look again.
        MarkJumpedTo(eip + BlockBuilder.MaxInstructionBytes - 1);
        return first;
    }

    private void MarkJumpedTo(uint linear) =>
        _jumpPages[(linear >> (Page.Shift + 6)) & (JumpPageWords - 1)] |= 1UL << (int)(linear >> Page.Shift);

    /// <summary>Whether the table of jumps may have something of a page.</summary>
    private bool WasJumpedTo(uint linear) =>
        (_jumpPages[(linear >> (Page.Shift + 6)) & (JumpPageWords - 1)] >> (int)(linear >> Page.Shift) & 1) != 0;

    private MicroOp* AddBlock(uint eip, uint physical, int bucket)
    {
        if (_arenaNext + BlockBuilder.MaxOps > _arena + ArenaOps)
            ForgetBlocks();
        Block block = _builder.Build(eip, physical);
        _arenaNext = block.First + block.Ops;
        _blocks.MakeRoom(_blockCount);
        int id = _blockCount++;
        BlocksDecoded++;
        block.NextInHash = _hash[bucket];
        _hash[bucket] = id;
        if (block.Bytes != 0)
            block.NextInFrame = MarkCode(block.Physical, block.Bytes, id);
        if (block.Bytes2 != 0 && block.Physical2 >> Page.Shift != block.Physical >> Page.Shift)
            block.NextInFrame2 = MarkCode(block.Physical2, block.Bytes2, id);
        _blocks[id] = block;
        return block.First;
    }

    private int MarkCode(uint physical, int bytes, int id)
    {
        uint frame = physical >> Page.Shift;
        if (_granules[frame] == 0)
        {
            ForgetFastWrites(physical & ~Page.OffsetMask);
            ForeignCode?.Decoded(physical & ~Page.OffsetMask);
        }

        _granules[frame] |= CodeGranules.Mask(physical & Page.OffsetMask, bytes);
        int next = _frameBlocks[frame];
        _frameBlocks[frame] = id;
        return next;
    }

    /// <summary>From now on writes to this frame must be seen.</summary>
    private void ForgetFastWrites(uint frame)
    {
        nint host = (nint)(Memory.Base + frame);
        TlbEntry* entry = (TlbEntry*)_kernelTlb;
        for (int i = 0; i < TlbEntries * 2; i++, entry++)
        {
            if (entry->WriteTag != InvalidTag && entry->Addend + (nint)entry->WriteTag == host)
                entry->WriteTag = InvalidTag;
        }
    }

    private void DropBlocks(uint physical, int size)
    {
        uint frame = physical >> Page.Shift;
        ulong end = physical + (ulong)size;
        List<int> survivors = [];
        List<int> doomed = [];
        for (int id = _frameBlocks[frame]; id != 0;)
        {
            ref Block block = ref _blocks[id];
            bool first = block.Physical >> Page.Shift == frame;
            bool hit = (first && physical < block.Physical + block.Bytes && end > block.Physical)
                || (block.Bytes2 != 0 && block.Physical2 >> Page.Shift == frame && physical < block.Physical2 + block.Bytes2 && end > block.Physical2);
            (hit ? doomed : survivors).Add(id);
            id = first ? block.NextInFrame : block.NextInFrame2;
        }

        foreach (int id in doomed)
        {
            ref Block block = ref _blocks[id];
            for (int i = 0; i < block.Ops; i++)
                block.First[i].Handler = &Stale;
            ref int link = ref _hash[Bucket(block.Physical)];
            while (link != id)
                link = ref _blocks[link].NextInHash;
            link = block.NextInHash;
            uint other = block.Physical >> Page.Shift == frame ? block.Physical2 >> Page.Shift : block.Physical >> Page.Shift;
            if (block.Bytes2 != 0 && other != frame)
                Unlink(other, id);
        }

        Relink(frame, survivors);
        ForgetJumps();
    }

    private void Unlink(uint frame, int doomed)
    {
        List<int> rest = [];
        for (int id = _frameBlocks[frame]; id != 0; id = _blocks[id].Physical >> Page.Shift == frame ? _blocks[id].NextInFrame : _blocks[id].NextInFrame2)
        {
            if (id != doomed)
                rest.Add(id);
        }

        Relink(frame, rest);
    }

    private void Relink(uint frame, List<int> ids)
    {
        ulong granules = 0;
        int next = 0;
        foreach (int id in ids)
        {
            ref Block block = ref _blocks[id];
            if (block.Physical >> Page.Shift == frame)
            {
                granules |= CodeGranules.Mask(block.Physical & Page.OffsetMask, block.Bytes);
                block.NextInFrame = next;
            }
            else
            {
                block.NextInFrame2 = next;
            }

            if (block.Bytes2 != 0 && block.Physical2 >> Page.Shift == frame)
                granules |= CodeGranules.Mask(block.Physical2 & Page.OffsetMask, block.Bytes2);
            next = id;
        }

        _frameBlocks[frame] = next;
        _granules[frame] = granules;
    }

    private void ForgetJumps()
    {
        _generation = (_generation + 1) & 0xFF_FFFF;
        if (_generation == 0)
            NativeMemory.Clear(Cpu->Interpreter.JumpCache, JumpCacheBytes);
        Cpu->Interpreter.JumpKey = (_generation << 8) | (uint)_mode;
        _jumpPages.AsSpan().Clear();
    }

    private void ForgetBlocks()
    {
        Epoch++;
        if (_blockCount == 1)
            return; // Nothing was decoded: clearing would only make the tables take up memory.
        _arenaNext = _arena;
        _blockCount = 1;
        NativeMemory.Clear(_hash, HashSize * sizeof(int));
        NativeMemory.Clear(_granules, (nuint)(_frames * sizeof(ulong)));
        NativeMemory.Clear(_frameBlocks, (nuint)(_frames * sizeof(int)));
        ForgetJumps();
    }

    private void AllocateBlocks()
    {
        _frames = Memory.Top >> Page.Shift;
        _hash = (int*)NativeMemory.AllocZeroed(HashSize, sizeof(int));
        _granules = (ulong*)MemoryMap.Zeroes(FrameBytes);
        _frameBlocks = (int*)(_granules + _frames + 1);
        _arena = (MicroOp*)NativeMemory.Alloc(ArenaOps, (nuint)sizeof(MicroOp));
        _arenaNext = _arena;
        _generation = 1;
    }

    private void FreeBlocks()
    {
        NativeMemory.Free(_hash);
        if (_granules != null)
            MemoryMap.Unmap(_granules, FrameBytes);
        NativeMemory.Free(_arena);
    }
}
