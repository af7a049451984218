// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using Iced.Intel;
using Lguest.Engine.Cpu;
using Lguest.Engine.Interpreter;
using Lguest.Engine.Memory;
using Lguest.Engine.Native;
using Lguest.GuestAbi;
using static Tmds.Linux.LibC;

namespace Lguest.Engine.Translator;

/// <summary>
/// Where translated code is kept. As in the interpreter, blocks are found by physical address, EIP and mode, and every frame
/// knows which of its 64-byte granules were translated. Whoever writes there through the host is seen by the interpreter's
/// memory functions; guest code that writes there faults, since such frames are never mapped writable.
/// </summary>
public sealed unsafe partial class TranslatorCore : IForeignCode
{
    private const int MaxInterpreted = 1 << 18;

    /// <summary>Bytes of what <see cref="Drop"/> writes, up to where the next code may begin.</summary>
    private const int DropStubBytes = 32;

    /// <summary>How much an instruction may weigh by faulting for the interpreter's sake, before it is left to it permanently.</summary>
    private const int Patience = 32;

    /// <summary>What reaches into user memory does little else.</summary>
    private const int UserAccessWeight = 16;

    /// <summary>What writes where code is may do so only when a page becomes another: a copy of a whole page, mostly.</summary>
    private const int CodeWriteWeight = 1;

    private readonly CodeArena _arena;
    private readonly HostAssembler _emit;
    private readonly SideTable _side = new();
    private readonly BlockTranslator _translator;
    private readonly BranchTable _table;
    private readonly byte* _codeStart;
    private readonly Dictionary<BlockKey, Block> _blocks = [];
    private readonly Dictionary<uint, List<Block>> _frameBlocks = [];
    private readonly Dictionary<uint, int> _impatient = [];
    private readonly HashSet<uint> _mustInterpret = [];
    private readonly List<uint> _marked = [];
    private byte* _codeNext;
    private ulong* _granules;
    private Interpreted* _interpreted;
    private uint _interpretedCount;
    private uint _drops;
    private uint _flushes;
    private bool _translating;
    private TranslationMode _mode;

    /// <summary>Blocks translated so far.</summary>
    public long BlocksTranslated { get; private set; }

    /// <summary>How often all translated code was given up, for want of room.</summary>
    internal uint Flushes => _flushes;

    /// <summary>Bytes of host code at the moment.</summary>
    public long CodeBytes => _codeNext - _codeStart;

    /// <inheritdoc/>
    bool IForeignCode.HasCode(uint physical) => _granules[physical >> Page.Shift] != 0;

    /// <inheritdoc/>
    void IForeignCode.WillChange(uint physical, int size) => DropIfCode(physical, size);

    /// <inheritdoc/>
    void IForeignCode.EntryMarked(uint physical, uint before)
    {
        // What is dropped now would be written over the block in the making, which has just looked its second page up.
        if (_translating)
            _marked.Add(physical);
        else
            DropIfCode(physical, sizeof(uint));
    }

    /// <inheritdoc/>
    void IForeignCode.Decoded(uint frame) => ProtectFrame(frame);

    /// <summary>Whether code of a frame was translated, or decoded by the interpreter: then it is written to by nobody unseen.</summary>
    internal bool HasCode(uint physical) => _interpreter.HasCode(physical);

    /// <summary>Whether the instruction at a guest physical address is the interpreter's from now on.</summary>
    internal bool MustInterpret(uint physical) => _mustInterpret.Count != 0 && _mustInterpret.Contains(physical);

    /// <summary>A block that is translated already.</summary>
    internal Block? Translated(BlockKey key) => _blocks.GetValueOrDefault(key);

    /// <summary>Registers an instruction for the interpreter.</summary>
    /// <param name="eip">Where it is.</param>
    /// <param name="instruction">It, or null when it has to be fetched anew each time.</param>
    /// <returns>Its number.</returns>
    internal uint AddInterpreted(uint eip, Instruction* instruction)
    {
        Interpreted* record = _interpreted + _interpretedCount;
        record->HasOps = 0;
        record->NextEip = 0;
        if (instruction != null)
        {
            record->NextEip = instruction->NextIP32;
            record->HasOps = 1;
            _interpreter.DecodeInto(in *instruction, (MicroOp*)record->Ops);
        }

        record->Continue = null;
        return _interpretedCount++;
    }

    /// <summary>Where translated code goes on after an interpreted instruction.</summary>
    internal void ContinueInterpretedAt(uint number, byte* host) => _interpreted[number].Continue = host;

    /// <summary>Where a page's code is, without counting as a use of it if there is none.</summary>
    internal bool TryFetchQuietly(uint eip, out uint physical) => _interpreter.TryFetch(eip, out physical, out _);

    /// <summary>The ring, TS and segments decide which code runs, under which key, in which window.</summary>
    private void SelectContext()
    {
        TranslationMode mode = CurrentMode();
        _mode = mode;
        bool user = (mode & TranslationMode.User) != 0;
        ulong taskSwitched = (ulong)(mode & TranslationMode.TaskSwitched);
        CpuState* cpu = Cpu;
        cpu->KernelWindowBase = (ulong)_kernelWindow.Base;
        cpu->KernelBranchKey = (_kernelKey << 4 | taskSwitched) << 32;
        if (user)
            CurrentUserWindow();
        if (_space is { } space)
        {
            cpu->UserWindowBase = (ulong)space.Window.Base;
            cpu->UserBranchKey = (space.Key << 4 | taskSwitched | (ulong)TranslationMode.User) << 32;
        }

        cpu->WindowBase = user ? cpu->UserWindowBase : cpu->KernelWindowBase;
        cpu->BranchKey = user ? cpu->UserBranchKey : cpu->KernelBranchKey;
        PrepareKernelWays();
    }

    private TranslationMode CurrentMode()
    {
        TranslationMode mode = TranslationMode.None;
        if (Cpu->Cpl == Selectors.UserRing)
            mode |= TranslationMode.User;
        if (Cpu->TaskSwitched != 0)
            mode |= TranslationMode.TaskSwitched;
        return mode;
    }

    private bool ModeIsAsBefore() => CurrentMode() == _mode;

    /// <summary>What to enter for an EIP in the current context; null with a fault when it cannot be fetched.</summary>
    private Block? FindBlock(uint eip, out CpuExit fault)
    {
        ToLazyFlags();
        if (!_interpreter.TryFetch(eip, out uint physical, out fault))
            return null;
        BlockKey key = new(physical, eip, _mode);
        BlockReach reach = BlockReach.Any;
        bool user = (_mode & TranslationMode.User) != 0;
        if (user && _translator.Crosses(physical))
        {
            uint next = (eip & ~Page.OffsetMask) + Page.Size;
            bool isThere = TryFetchQuietly(next, out uint rest) && rest != 0;
            reach = isThere ? BlockReach.Table : BlockReach.None;
            key = key with { Rest = isThere ? rest : 0 };
        }

        if (!_blocks.TryGetValue(key, out Block? block))
            block = Add(key, reach);
        if (user)
        {
            Dictionary<uint, uint> pages = CurrentSpace().CodePages;
            pages[eip >> Page.Shift] = (physical & ~Page.OffsetMask) | AddressWindow.MappedBit;
            if (block.Bytes2 != 0)
                pages[(eip >> Page.Shift) + 1] = (block.Physical2 & ~Page.OffsetMask) | AddressWindow.MappedBit;
        }

        if (eip >= KernelStart)
        {
            RememberKernelCode(eip >> Page.Shift, physical & ~Page.OffsetMask);
            if (block.Bytes2 != 0)
                RememberKernelCode((eip >> Page.Shift) + 1, block.Physical2 & ~Page.OffsetMask);
        }

        return block;
    }

    private byte* FindForTable(uint eip, out CpuExit fault)
    {
        Block? block = FindBlock(eip, out fault);
        if (block is null)
            return null;

        // Under the key of the context that was left, which is still the current one; the kernel's only where its part is.
        if (block.Reach != BlockReach.None && !Unchained && ((_mode & TranslationMode.User) != 0 || eip >= KernelStart))
            _table.Add(eip, Cpu->BranchKey, block.Host);
        return block.Host;
    }

    private byte* FindForLink(uint eip, uint site)
    {
        uint flushes = _flushes;
        Block? block = FindBlock(eip, out _);
        if (block is null)
            return null;
        if (block.Reach == BlockReach.Any && flushes == _flushes)
            _emit.Bind(new HostLabel(site, IsShort: false), block.Host);
        return block.Host;
    }

    private Block Add(BlockKey key, BlockReach reach)
    {
        if (!HasRoom(BlockTranslator.MaxHostBytes) || _interpretedCount > MaxInterpreted - 128)
            FlushCode();
        Block block = new() { Key = key, Reach = reach };

        _translating = true;
        byte* end = _translator.Translate(block, _codeNext);
        _translating = false;
        CheckRoom(_codeNext, end, BlockTranslator.MaxHostBytes);
        _codeNext = Aligned(end);
        _blocks.Add(key, block);

        // Of a frame that others can write nothing was made: there is nothing to go when its bytes change.
        if (block.Bytes != 0)
        {
            MarkCode(block, key.Physical, block.Bytes);
            if (block.Bytes2 != 0)
                MarkCode(block, block.Physical2, block.Bytes2);
            BlocksTranslated++;
        }

        foreach (uint entry in _marked)
            DropIfCode(entry, sizeof(uint));
        _marked.Clear();
        return block;
    }

    /// <summary>Whether more code has room, and after it every block there is a stub for when it is dropped.</summary>
    private bool HasRoom(int bytes) => _codeNext + bytes + ((_blocks.Count + 1L) * DropStubBytes) <= _arena.Executable + _arena.Size;

    /// <summary>What was written must have had the room that was asked for: beyond it may be nothing that can be written to.</summary>
    private static void CheckRoom(byte* start, byte* end, int room)
    {
        if (end - start > room)
            throw new InvalidOperationException($"{end - start} bytes of code, and room for {room}");
    }

    /// <summary>From now on nothing is written to these bytes unseen.</summary>
    private void MarkCode(Block block, uint physical, int bytes)
    {
        uint frame = physical & ~Page.OffsetMask;
        bool first = !HasCode(frame);
        _granules[frame >> Page.Shift] |= CodeGranules.Mask(physical & Page.OffsetMask, bytes);
        if (first)
        {
            _interpreter.ForeignCodeIn(frame);
            ProtectFrame(frame);
        }

        if (!_frameBlocks.TryGetValue(frame, out List<Block>? list))
            _frameBlocks.Add(frame, list = []);
        list.Add(block);
    }

    private static bool Overlaps(uint physical, int size, uint start, int bytes) =>
        physical < start + (uint)bytes && physical + (uint)size > start;

    private void DropIfCode(uint physical, int size)
    {
        ulong granules = _granules[physical >> Page.Shift];
        if (granules != 0 && (granules & CodeGranules.Mask(physical & Page.OffsetMask, size)) != 0)
            DropBlocks(physical, size);
    }

    private void DropBlocks(uint physical, int size)
    {
        uint frame = physical & ~Page.OffsetMask;
        ulong granules = 0;
        if (_frameBlocks.TryGetValue(frame, out List<Block>? blocks))
        {
            for (int i = blocks.Count - 1; i >= 0; i--)
            {
                Block block = blocks[i];
                bool second = block.Bytes2 != 0 && (block.Physical2 & ~Page.OffsetMask) == frame;
                bool whole = (block.Key.Physical & ~Page.OffsetMask) == frame;
                if (block.Dropped || (whole && Overlaps(physical, size, block.Key.Physical, block.Bytes))
                    || (second && Overlaps(physical, size, block.Physical2, block.Bytes2)))
                {
                    if (!block.Dropped)
                        Drop(block);
                    blocks.RemoveAt(i);
                    continue;
                }

                if (whole)
                    granules |= CodeGranules.Mask(block.Key.Physical & Page.OffsetMask, block.Bytes);
                if (second)
                    granules |= CodeGranules.Mask(block.Physical2 & Page.OffsetMask, block.Bytes2);
            }
        }

        ForgetInterpreted(physical, (uint)size);
        _granules[frame >> Page.Shift] = granules;
        _drops++;
    }

    /// <summary>Bytes that change may be translated again; whichever is fewer is gone through, the bytes or the addresses.</summary>
    private void ForgetInterpreted(uint physical, uint size)
    {
        if (size >= _mustInterpret.Count)
        {
            _mustInterpret.RemoveWhere(address => address - physical < size);
            return;
        }

        for (uint i = 0; i < size; i++)
            _mustInterpret.Remove(physical + i);
    }

    /// <summary>A dropped block is not entered any more: not by key, not by table, and who is linked to it comes to look.</summary>
    private void Drop(Block block)
    {
        block.Dropped = true;
        _blocks.Remove(block.Key);
        _table.Remove(block.Key.Eip, block.Host);
        byte* stub = _codeNext;
        _emit.Start(stub);
        _side.Add(_emit.Offset, block.Key.Eip, SideKind.GoingTo);
        _emit.Store(State.Eip, block.Key.Eip);
        _emit.Store(State.ExitReason, (uint)TranslatedExit.Branch);
        _emit.Jump(_stubs.Exit);
        CheckRoom(stub, _emit.Here, DropStubBytes);
        _codeNext = Aligned(_emit.Here);
        _emit.Start(block.Host);
        _emit.Jump(stub);
    }

    /// <summary>
    /// An instruction that keeps coming here becomes the interpreter's: the block is made anew with a direct way to it, which
    /// is far cheaper than a fault.
    /// </summary>
    private void PreferInterpreter(uint eip, int weight)
    {
        if (!_interpreter.TryFetch(eip, out uint physical, out _))
            return;
        ref int count = ref CollectionsMarshal.GetValueRefOrAddDefault(_impatient, physical, out _);
        count += weight;
        if (count < Patience)
            return;
        _impatient.Remove(physical);
        if (_mustInterpret.Contains(physical))
            return;
        DropBlocks(physical, 1);
        _mustInterpret.Add(physical);
    }

    /// <summary>Where lookups go that found nothing: emitted first, so that all code can reach it.</summary>
    internal byte* SecondProbe => _codeStart;

    private void StartCode()
    {
        _emit.Start(_codeStart);
        _translator.EmitSecondProbe();
        _codeNext = Aligned(_emit.Here);
    }

    private void FlushCode()
    {
        _side.Clear();
        StartCode();
        _blocks.Clear();
        _frameBlocks.Clear();
        _kernelCodePages.Clear();
        _kernelCodeMoved = false;
        _interpretedCount = 0;
        _table.Clear();
        NativeMemory.Clear(_granules, (nuint)((Memory.Top >> Page.Shift) + 1) * sizeof(ulong));
        _drops++;
        _flushes++;
    }

    private void AllocateCode()
    {
        _granules = (ulong*)NativeMemory.AllocZeroed((nuint)((Memory.Top >> Page.Shift) + 1), sizeof(ulong));
        _interpreted = (Interpreted*)MemoryMap.Map(
            null, (nuint)MaxInterpreted * (nuint)sizeof(Interpreted), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    }

    private void FreeCode()
    {
        NativeMemory.Free(_granules);
        if (_interpreted != null)
            MemoryMap.Unmap((byte*)_interpreted, (nuint)MaxInterpreted * (nuint)sizeof(Interpreted));
        _translator?.Dispose();
        _table?.Dispose();
        _arena?.Dispose();
    }

    /// <summary>An instruction that translated code leaves to the interpreter.</summary>
    private struct Interpreted
    {
        /// <summary>The ops: structs cannot have arrays of structs in C#.</summary>
        public fixed byte Ops[BlockBuilder.MaxSingleOps * MicroOp.ByteSize];
        public byte* Continue;
        public uint NextEip;
        public int HasOps;
    }
}
