// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using Lguest.Engine.Cpu;
using Lguest.Engine.Interpreter;
using Lguest.Engine.Memory;
using Lguest.Engine.Native;
using Lguest.GuestAbi;

namespace Lguest.Engine.Translator;

/// <summary>Hears which frames translated code was made of.</summary>
internal interface ICodeWatcher
{
    /// <summary>Code was made of a frame: from now on nobody may write there unseen.</summary>
    void CodeIn(uint frame);

    /// <summary>All code is gone.</summary>
    void CodeGone();
}

/// <summary>
/// Where translated code is kept. As in the interpreter, blocks are found by physical address, EIP and mode, and every frame
/// knows which of its 64-byte granules were translated. Whoever writes there through the host is seen by the interpreter's
/// memory functions; guest code that writes there faults, since such frames are never mapped writable.
/// </summary>
internal sealed unsafe class CodeCache : IDisposable
{
    /// <summary>Host code begins at multiples of this, as processors like it.</summary>
    private const ulong Alignment = 16;

    /// <summary>Bytes of what <see cref="Drop"/> writes, up to where the next code may begin.</summary>
    private const int DropStubBytes = 32;

    /// <summary>Places where a block was that are remembered: code that is patched all the time would leave ever more.</summary>
    private const int MostPlaces = 8;

    /// <summary>A small kernel's boot has some more blocks: the table need not grow a dozen times on the way there.</summary>
    private const int UsualBlocks = 1 << 13;

    private readonly InterpreterCore _interpreter;
    private readonly CodeArena _arena;
    private readonly byte* _start;
    private readonly ulong* _granules;
    private readonly Dictionary<BlockKey, Block> _blocks = new(UsualBlocks);
    private readonly Dictionary<BlockKey, List<nint>> _gone = [];
    private readonly Dictionary<uint, List<Block>> _frameBlocks = [];
    private readonly List<uint> _marked = [];
    private BlockTranslator? _translator;
    private ICodeWatcher? _watcher;
    private bool _translating;

    /// <summary>Makes an empty cache, with the ways in and out at its beginning; <see cref="Begin"/> comes next.</summary>
    /// <param name="interpreter">Hears what code is made of, too, and makes the ops of what is left to it.</param>
    /// <param name="bytes">Room in bytes, pages, at most <see cref="CodeSlots.SlotSize"/>.</param>
    /// <exception cref="System.ComponentModel.Win32Exception">The host refuses memory, address space or executable mappings.</exception>
    /// <exception cref="InvalidOperationException">Too many engines in one process.</exception>
    public CodeCache(InterpreterCore interpreter, nuint bytes)
    {
        _interpreter = interpreter;
        try
        {
            Branches = new BranchTable();
            _arena = CodeArena.InSlot(bytes);
            SignalHandlers.Reserve(_arena);
            Stubs = new NativeStubs(_arena);
            Emit = new HostAssembler(_arena);
            Interpreted = new InterpretedInstructions(interpreter);
            _granules = (ulong*)NativeMemory.AllocZeroed(Frames, sizeof(ulong));
            _start = (byte*)Stubs.Region.CodeStart;
            Next = _start;
            SignalHandlers.Describe(_arena, Stubs.Region, Stubs.SystemCallRegion, Stubs.InterruptReturnRegion);
        }
        catch
        {
            // What was not made yet is null.
            Dispose();
            throw;
        }
    }

    /// <summary>The ways into the code and out of it.</summary>
    public NativeStubs Stubs { get; }

    /// <summary>Writes code.</summary>
    public HostAssembler Emit { get; }

    /// <summary>From places in the code back to the guest's instructions.</summary>
    public SideTable Side { get; } = new();

    /// <summary>Where indirect branches look.</summary>
    public BranchTable Branches { get; }

    /// <summary>What the code leaves to the interpreter.</summary>
    public InterpretedInstructions Interpreted { get; }

    /// <summary>Where the next code will be executed.</summary>
    public byte* Next { get; private set; }

    /// <summary>Where lookups go that found nothing: emitted first, so that all code can reach it.</summary>
    public byte* SecondProbe => _start;

    /// <summary>Bytes of host code at the moment.</summary>
    public long Bytes => Next - _start;

    /// <summary>Blocks translated so far.</summary>
    public long BlocksTranslated { get; private set; }

    /// <summary>Another number whenever code has gone: who keeps a place in it compares.</summary>
    public uint Drops { get; private set; }

    /// <summary>How often all code was given up.</summary>
    public uint Flushes { get; private set; }

    private nuint Frames => (nuint)((_interpreter.Memory.Top >> Page.Shift) + 1);

    /// <summary>Before anything else is done with the cache: who has to do with it.</summary>
    /// <param name="translator">Makes the code.</param>
    /// <param name="watcher">Hears which frames must not be written unseen.</param>
    public void Begin(BlockTranslator translator, ICodeWatcher watcher)
    {
        _translator = translator;
        _watcher = watcher;
        EmitFirst();
    }

    /// <summary>Whether anything was translated of a frame.</summary>
    public bool HasCode(uint physical) => _granules[physical >> Page.Shift] != 0;

    /// <summary>A block, if it is translated already.</summary>
    public Block? Find(BlockKey key) => _blocks.GetValueOrDefault(key);

    /// <summary>A block, translated now if it is not there. That may be the end of all others: see <see cref="Flushes"/>.</summary>
    public Block Get(BlockKey key, BlockReach reach) => _blocks.TryGetValue(key, out Block? block) ? block : Add(key, reach);

    /// <summary>What the guest was doing at a host address in the code.</summary>
    public SideTable.Entry PlaceOf(ulong host) => Side.Find((uint)(host - (ulong)_arena.Executable));

    /// <summary>The instruction to which the low half of a host address belongs, if it is one in the code.</summary>
    public bool TryFindByLowHalf(uint host, out uint eip)
    {
        uint offset = host - (uint)(ulong)_start;
        bool isCode = offset < (uint)Bytes;
        eip = isCode ? Side.Find(offset + (uint)(_start - _arena.Executable)).Eip : 0;
        return isCode;
    }

    /// <summary>Where the host code of a guest instruction begins.</summary>
    public byte* HostOf(in SideTable.Entry place) => _arena.Executable + place.Offset;

    /// <summary>Host code, for writing.</summary>
    public byte* ToWritable(byte* code) => _arena.ToWritable(code);

    /// <summary>Whether more code has room, and after it every block there is a stub for when it is dropped.</summary>
    public bool HasRoom(int bytes) => Next + bytes + ((_blocks.Count + 1L) * DropStubBytes) <= _arena.Executable + _arena.Size;

    /// <summary>What was written from <see cref="Next"/> on is part of the code now.</summary>
    /// <param name="end">One past its last byte.</param>
    /// <param name="room">Bytes that were asked for: beyond them may be nothing that can be written to.</param>
    public void Take(byte* end, int room)
    {
        if (end - Next > room)
            throw new InvalidOperationException($"{end - Next} bytes of code, and room for {room}");
        Next = (byte*)(((ulong)end + Alignment - 1) & ~(Alignment - 1));
    }

    /// <summary>From now on a direct branch leads to a block.</summary>
    /// <param name="site">The branch.</param>
    /// <param name="block">The block.</param>
    public void Link(uint site, Block block) => Emit.Bind(new HostLabel(site, IsShort: false), block.Host);

    /// <summary>Somebody is about to write these bytes, all of one page: blocks that were made of them go.</summary>
    public void WillChange(uint physical, int size)
    {
        ulong granules = _granules[physical >> Page.Shift];
        if (granules != 0 && (granules & CodeGranules.Mask(physical & Page.OffsetMask, size)) != 0)
            DropBlocks(physical, size);
    }

    /// <summary>A page table entry was marked by a walk: where it is part of an instruction, that is another one now.</summary>
    public void EntryMarked(uint physical)
    {
        // What is dropped now would be written over the block in the making, which has just looked its second page up.
        if (_translating)
            _marked.Add(physical);
        else
            WillChange(physical, sizeof(uint));
    }

    /// <summary>
    /// An instruction that keeps faulting for the interpreter's sake becomes the interpreter's: its block is made anew with a direct
    /// way to it, which is far cheaper than a fault.
    /// </summary>
    /// <param name="physical">Where it is.</param>
    /// <param name="weight">How much this time counts.</param>
    public void PreferInterpreter(uint physical, int weight)
    {
        if (!Interpreted.IsWorthIt(physical, weight))
            return;
        DropBlocks(physical, 1);
        Interpreted.Prefer(physical);
    }

    /// <summary>Gives up all code: there is no room for more, or links lead where the guest has mapped something else.</summary>
    public void Flush()
    {
        Side.Clear();
        Next = _start;
        EmitFirst();
        _blocks.Clear();
        _frameBlocks.Clear();
        _watcher!.CodeGone();
        Interpreted.Clear();
        Branches.Clear();
        _gone.Clear();
        NativeMemory.Clear(_granules, Frames * sizeof(ulong));
        Drops++;
        Flushes++;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        NativeMemory.Free(_granules);
        Interpreted?.Dispose();
        Branches?.Dispose();
        _arena?.Dispose();
    }

    private void EmitFirst()
    {
        Emit.Start(Next);
        _translator!.EmitSecondProbe();
        Take(Emit.Here, (int)Page.Size);
    }

    private Block Add(BlockKey key, BlockReach reach)
    {
        if (!HasRoom(BlockTranslator.MaxHostBytes) || Interpreted.IsFull)
            Flush();
        Block block = new() { Key = key, Reach = reach };

        _arena.MakeReady(Next);
        _translating = true;
        byte* end = _translator!.Translate(block, Next);
        _translating = false;
        Take(end, BlockTranslator.MaxHostBytes);
        _blocks.Add(key, block);
        if (reach == BlockReach.Any)
            LeadHere(block);

        // Of a frame that others can write nothing was made: there is nothing to go when its bytes change.
        if (block.Bytes != 0)
        {
            MarkCode(block, key.Physical, block.Bytes);
            if (block.Bytes2 != 0)
                MarkCode(block, block.Physical2, block.Bytes2);
            BlocksTranslated++;
        }

        foreach (uint entry in _marked)
            WillChange(entry, sizeof(uint));
        _marked.Clear();
        return block;
    }

    /// <summary>From now on nothing is written to these bytes unseen.</summary>
    private void MarkCode(Block block, uint physical, int bytes)
    {
        uint frame = physical & ~Page.OffsetMask;
        bool first = !_interpreter.HasCode(frame);
        _granules[frame >> Page.Shift] |= CodeGranules.Mask(physical & Page.OffsetMask, bytes);
        if (first)
        {
            _interpreter.ForeignCodeIn(frame);
            _watcher!.CodeIn(frame);
        }

        if (!_frameBlocks.TryGetValue(frame, out List<Block>? list))
            _frameBlocks.Add(frame, list = []);
        list.Add(block);
    }

    private static bool Overlaps(uint physical, int size, uint start, int bytes) =>
        physical < start + (uint)bytes && physical + (uint)size > start;

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

        Interpreted.Forget(physical, (uint)size);
        _granules[frame >> Page.Shift] = granules;
        Drops++;
    }

    /// <summary>A dropped block is not entered any more: not by key, not by table, and who is linked to it comes to look.</summary>
    private void Drop(Block block)
    {
        block.Dropped = true;
        _blocks.Remove(block.Key);
        Branches.Remove(block.Key.Eip, block.Host);
        if (block.Reach == BlockReach.Any)
            RememberGone(block);
        byte* stub = Next;
        Emit.Start(stub);
        Side.Add(Emit.Offset, block.Key.Eip, SideKind.GoingTo);
        Emit.Store(State.Eip, block.Key.Eip);
        Emit.Store(State.ExitReason, (uint)TranslatedExit.Branch);
        Emit.Jump(Stubs.Exit);
        Take(Emit.Here, DropStubBytes);
        Emit.Start(block.Host);
        Emit.Jump(stub);
    }

    /// <summary>Links lead where a dropped block was, and nobody knows from where: if it is translated anew, they shall lead there.</summary>
    private void RememberGone(Block block)
    {
        if (!_gone.TryGetValue(block.Key, out List<nint>? places))
            _gone.Add(block.Key, places = []);

        // Those that are forgotten lead to a later one, and from there on.
        if (places.Count == MostPlaces)
            places.RemoveAt(0);
        places.Add((nint)block.Host);
    }

    /// <summary>A block is translated anew that was dropped: whoever is linked to what it was comes here.</summary>
    private void LeadHere(Block block)
    {
        if (!_gone.TryGetValue(block.Key, out List<nint>? places))
            return;
        foreach (nint place in places)
        {
            Emit.Start((byte*)place);
            Emit.Jump(block.Host);
        }
    }
}
