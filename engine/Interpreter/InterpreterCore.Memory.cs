// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Lguest.Engine.Cpu;
using Lguest.Engine.Memory;
using Lguest.Engine.Memory.PageTables;
using Lguest.Engine.Native;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Debugging;

namespace Lguest.Engine.Interpreter;

/// <summary>
/// How instructions reach memory. A table of translated pages (a software TLB, one per privilege level) answers nearly always:
/// one load, one compare. It holds what the walk of the guest's tables found until the guest says that it changed them; a page
/// is writable in it only when its Dirty bit is set already and no decoded code lies in its frame, so that the slow path sees
/// every first write and every write that may change code.
/// <para>How a page fault leaves an instruction: by an exception, which costs microseconds; or, where faults are what is
/// expected, quietly: see <c>InterpreterCore.Quiet.cs</c>.</para>
/// </summary>
public sealed unsafe partial class InterpreterCore
{
    private const int TlbEntries = 1024;
    private const int TlbBytes = TlbEntries * 16;
    private const uint InvalidTag = 1;

    /// <summary>So many entries are forgotten one by one, more all at once.</summary>
    private const int FewFills = 64;
    private const int TableBytes = (TlbBytes * 3) + JumpCacheBytes + (2 * NowhereBytes) + (FewFills * 8);

    private byte* _tables;
    private byte* _kernelTlb;
    private byte* _userTlb;
    private uint _pageDirectory;
    private int _fillCount;
    private nint* _fills;

    // A read-modify-write that cannot be done in place: a copy, and where it goes.
    private byte* _rmwBuffer;
    private uint _rmwAddress;
    private int _rmwSize;

    /// <inheritdoc/>
    public override void LoadPageDirectory(uint physical)
    {
        _pageDirectory = physical;
        FlushTlb();
    }

    /// <inheritdoc/>
    public override void FlushTlb()
    {
        // When another core runs the guest there is little in it, or nothing.
        if (_fillCount == 0)
            return;
        if (_fillCount <= FewFills)
        {
            for (int i = 0; i < _fillCount; i++)
                Forget((TlbEntry*)_fills[i]);
        }
        else
        {
            // All ones is a tag that no page has, since its low bits are set.
            NativeMemory.Fill(_kernelTlb, TlbBytes * 2, 0xFF);
        }

        _fillCount = 0;
        ForgetJumps();
    }

    /// <inheritdoc/>
    public override void InvalidatePage(uint linear)
    {
        Forget(Entry(_kernelTlb, linear));
        Forget(Entry(_userTlb, linear));
        if (WasJumpedTo(linear))
            ForgetJumps();
    }

    // [I:180+9] Reading memory
    // Every load of the guest comes through here, so it has to be short: a table of pages that were translated already (what a
    // processor calls its TLB), one load, one compare. The compare does three things at once: right page, readable, and not across
    // the page's end. Anything else takes the slow way.
    /// <summary>Reads a value of 1, 2 or 4 bytes at a linear address, zero-extended.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal uint ReadLinear<TWidth>(CpuState* cpu, uint address)
        where TWidth : struct, IWidth
    {
        TlbEntry* entry = Entry(cpu->Interpreter.Tlb, address);
        if (entry->ReadTag == ((address + (uint)(TWidth.Size - 1)) & ~Page.OffsetMask))
            return TWidth.Load((byte*)(entry->Addend + (nint)address));
        return (uint)ReadSlow(address, TWidth.Size);
    }

    /// <summary>Writes a value of 1, 2 or 4 bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void WriteLinear<TWidth>(CpuState* cpu, uint address, uint value)
        where TWidth : struct, IWidth
    {
        TlbEntry* entry = Entry(cpu->Interpreter.Tlb, address);
        if (entry->WriteTag == ((address + (uint)(TWidth.Size - 1)) & ~Page.OffsetMask))
            TWidth.Store((byte*)(entry->Addend + (nint)address), value);
        else
            WriteSlow(address, TWidth.Size, value);
    }

    /// <summary>Where a writable value can be changed in place, or null: then <see cref="BeginModify"/> is the way.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static byte* InPlace(CpuState* cpu, uint address, int size)
    {
        TlbEntry* entry = Entry(cpu->Interpreter.Tlb, address);
        return entry->WriteTag == ((address + (uint)(size - 1)) & ~Page.OffsetMask) ? (byte*)(entry->Addend + (nint)address) : null;
    }

    /// <summary>Checks that a value may be written, and gives a copy of it to change; <see cref="EndModify"/> writes it back.</summary>
    internal byte* BeginModify(uint address, int size)
    {
        ProbeWrite(address, size);
        *(ulong*)_rmwBuffer = ReadSlow(address, size);
        _rmwAddress = address;
        _rmwSize = size;
        return _rmwBuffer;
    }

    /// <summary>Writes back what <see cref="BeginModify"/> handed out.</summary>
    internal void EndModify() => WriteSlow(_rmwAddress, _rmwSize, *(ulong*)_rmwBuffer);

    /// <summary>Reads up to 8 bytes anywhere, across pages too.</summary>
    internal ulong ReadSlow(uint address, int size)
    {
        if (_watchpoints.Length != 0)
            CheckWatchpoints(address, size, WatchKind.Read);
        uint inPage = Page.Size - (address & Page.OffsetMask);
        if ((uint)size <= inPage)
            return LoadBytes(Translate(address, write: false), size);

        // Both pages first: the second may fault, and then nothing must have happened.
        byte* low = Translate(address, write: false);
        byte* high = Translate(address + inPage, write: false);
        return LoadBytes(low, (int)inPage) | (LoadBytes(high, size - (int)inPage) << (int)(inPage * 8));
    }

    /// <summary>Writes up to 8 bytes anywhere.</summary>
    internal void WriteSlow(uint address, int size, ulong value)
    {
        if (_watchpoints.Length != 0)
            CheckWatchpoints(address, size, WatchKind.Write);
        uint inPage = Page.Size - (address & Page.OffsetMask);
        if ((uint)size <= inPage)
        {
            byte* place = Translate(address, write: true);
            if (!_faultPending)
                StoreBytes(place, size, value);
            return;
        }

        byte* low = Translate(address, write: true);
        byte* high = Translate(address + inPage, write: true);
        if (_faultPending)
            return;
        StoreBytes(low, (int)inPage, value);
        StoreBytes(high, size - (int)inPage, value >> (int)(inPage * 8));
    }

    /// <summary>Faults if any byte of a range may not be written. At most a page long.</summary>
    internal void ProbeWrite(uint address, int size)
    {
        // Here already: after the probe an instruction changes registers, and could not be started again.
        if (_watchpoints.Length != 0)
            CheckWatchpoints(address, size, WatchKind.Write);
        Translate(address, write: true);
        if (((address + (uint)(size - 1)) ^ address) > Page.OffsetMask)
            Translate((address + (uint)(size - 1)) & ~Page.OffsetMask, write: true);
    }

    /// <summary>Faults if any byte of a range may not be read. At most a page long.</summary>
    internal void ProbeRead(uint address, int size)
    {
        Translate(address, write: false);
        if (((address + (uint)(size - 1)) ^ address) > Page.OffsetMask)
            Translate((address + (uint)(size - 1)) & ~Page.OffsetMask, write: false);
    }

    /// <summary>
    /// Host address of a guest's linear address at the current privilege level, filling the table; faults or kills if there is
    /// none. For a write the caller still owes <see cref="CodeWillChange"/> unless the table calls the page writable; and nothing is there
    /// when it <see cref="IsDevice"/>.
    /// </summary>
    internal byte* Translate(uint linear, bool write)
    {
        TlbEntry* entry = Entry(Cpu->Interpreter.Tlb, linear);
        uint page = linear & ~Page.OffsetMask;
        if (write ? entry->WriteTag == page : entry->ReadTag == page)
            return (byte*)(entry->Addend + (nint)linear);
        return TranslateMiss(linear, write, Cpu->Arch.Cpl == Selectors.UserRing, entry);
    }

    /// <summary>Guest physical address of a linear one, for fetching code.</summary>
    internal uint TranslateFetch(uint linear)
    {
        byte* place = Translate(linear, write: false);
        return IsDevice(place) ? throw Kill(CodeInDevice(place)) : (uint)(place - Memory.Base);
    }

    /// <summary>The same for the first byte of an instruction, without an exception: a fault becomes the exit.</summary>
    /// <returns>Whether it can be fetched.</returns>
    internal bool TryTranslateFetch(uint linear, out uint physical)
    {
        TlbEntry* entry = Entry(Cpu->Interpreter.Tlb, linear);
        if (entry->ReadTag != (linear & ~Page.OffsetMask) && !TryFill(linear, write: false, Cpu->Arch.Cpl == Selectors.UserRing, entry))
        {
            _current = null;
            TakeFault(_fault);
            _hasExit = true;
            physical = 0;
            return false;
        }

        byte* place = (byte*)(entry->Addend + (nint)linear);
        physical = (uint)(place - Memory.Base);
        if (!IsDevice(place))
            return true;
        _fault.KillReason = CodeInDevice(place);
        _current = null;
        TakeFault(_fault);
        _hasExit = true;
        return false;
    }

    /// <inheritdoc/>
    public override bool PushAsKernel(uint top, ReadOnlySpan<uint> words, out uint bad, out string? killReason)
    {
        bad = 0;
        killReason = null;
        foreach (uint word in words)
        {
            top -= sizeof(uint);
            TlbEntry* entry = Entry(_kernelTlb, top);
            if (entry->WriteTag == ((top + 3) & ~Page.OffsetMask))
            {
                *(uint*)(entry->Addend + (nint)top) = word;
                continue;
            }

            // Byte by byte, since a stack that is not aligned may cross a page here.
            for (int i = 0; i < sizeof(uint); i++)
            {
                uint linear = top + (uint)i;
                entry = Entry(_kernelTlb, linear);
                if (entry->WriteTag != (linear & ~Page.OffsetMask) && !TryFill(linear, write: true, user: false, entry))
                {
                    bad = top;
                    killReason = _fault.KillReason;
                    return false;
                }

                StoreBytes((byte*)(entry->Addend + (nint)linear), 1, word >> (8 * i));
            }
        }

        return true;
    }

    /// <inheritdoc/>
    public override bool TouchAsKernel(uint linear, out string? killReason)
    {
        WalkResult result = Walker.Walk(_pageDirectory, linear, write: true, user: false, out Translation found);
        killReason = found.KillReason;
        Marked(in found);
        return result == WalkResult.Ok;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TlbEntry* Entry(byte* tlb, uint linear) => (TlbEntry*)(tlb + ((linear >> 8) & ((TlbEntries - 1) << 4)));

    private ulong LoadBytes(byte* from, int size)
    {
        if (IsDevice(from))
            return ReadDevice(from, size);
        switch (size)
        {
            case 1:
                return *from;
            case 2:
                return *(ushort*)from;
            case 4:
                return *(uint*)from;
            case 8:
                return *(ulong*)from;
        }

        ulong value = 0;
        for (int i = 0; i < size; i++)
            value |= (ulong)from[i] << (8 * i);
        return value;
    }

    private void StoreBytes(byte* to, int size, ulong value)
    {
        if (IsDevice(to))
        {
            WriteDevice(to, size, value);
            return;
        }

        CodeWillChange(to, size);
        switch (size)
        {
            case 1:
                *to = (byte)value;
                return;
            case 2:
                *(ushort*)to = (ushort)value;
                return;
            case 4:
                *(uint*)to = (uint)value;
                return;
            case 8:
                *(ulong*)to = value;
                return;
        }

        for (int i = 0; i < size; i++)
            to[i] = (byte)(value >> (8 * i));
    }

    private byte* TranslateMiss(uint linear, bool write, bool user, TlbEntry* entry)
    {
        if (_faultPending)
            return _nowhere;
        if (!TryFill(linear, write, user, entry))
            return FaultIn(Cpu);
        if (user)
            ForeignCode?.Touched(linear >> Page.Shift);
        return (byte*)(entry->Addend + (nint)linear);
    }

    /// <summary>Fills an entry of the table, if the guest's tables have something for it; else <see cref="_fault"/> says why not.</summary>
    private bool TryFill(uint linear, bool write, bool user, TlbEntry* entry)
    {
        ForeignCode?.Walked(linear);
        WalkResult result = Walker.Walk(_pageDirectory, linear, write, user, out Translation found);
        if (result is not (WalkResult.Ok or WalkResult.Device))
        {
            _fault.Vector = ExceptionVector.PageFault;
            _fault.ErrorCode = found.ErrorCode;
            _fault.Address = linear;
            _fault.KillReason = found.KillReason;
            return false;
        }

        Marked(in found);

        if (_fillCount < FewFills)
            _fills[_fillCount] = (nint)entry;
        _fillCount++;
        uint page = linear & ~Page.OffsetMask;
        if (result == WalkResult.Device)
        {
            // It is never at hand: each access comes the slow way, where the device is asked.
            Forget(entry);
            entry->Addend = (nint)(Memory.Base + found.Frame) - (nint)page;
            return true;
        }

        if (write)
            Memory.Dirty?.Mark(found.Frame);
        entry->ReadTag = page;
        entry->WriteTag = (found.Rights & PageFlags.Writable) != 0 && (found.Entry & PageFlags.Dirty) != 0 && !MustSeeWrites(found.Frame)
            ? page
            : InvalidTag;
        entry->Addend = (nint)(Memory.Base + found.Frame) - (nint)page;
        if ((_watchpoints.Length != 0 && IsWatchedPage(page)) || (Memory.IsForeign(found.Frame) && ForeignCode is { } other && other.ReachesForeign()))
            entry->ReadTag = entry->WriteTag = InvalidTag;
        return true;
    }

    /// <summary>A walk that has marked an entry as used or written has written to the page that it is in, which may hold code.</summary>
    internal void Marked(in Translation found)
    {
        if (found.Unmarked == 0)
            return;
        Memory.Dirty?.Mark(found.MarkedAt);
        ulong granules = _granules[found.MarkedAt >> Page.Shift];
        if (granules != 0 && (granules & CodeGranules.Mask(found.MarkedAt & Page.OffsetMask, sizeof(uint))) != 0)
            DropBlocks(found.MarkedAt, sizeof(uint));
        ForeignCode?.EntryMarked(found.MarkedAt, found.Unmarked);
    }

    private static void Forget(TlbEntry* entry)
    {
        entry->ReadTag = InvalidTag;
        entry->WriteTag = InvalidTag;
    }

    private void AllocateTables()
    {
        _tables = MemoryMap.Zeroes(TableBytes);
        _kernelTlb = _tables;
        _userTlb = _tables + TlbBytes;
        Cpu->Interpreter.JumpCache = _userTlb + TlbBytes;
        _emptyTlb = Cpu->Interpreter.JumpCache + JumpCacheBytes;
        _rmwBuffer = _emptyTlb + TlbBytes;
        _nowhere = _rmwBuffer + NowhereBytes;
        _fills = (nint*)(_nowhere + NowhereBytes);
        NativeMemory.Fill(_kernelTlb, TlbBytes * 2, 0xFF);
        Cpu->Interpreter.Tlb = _kernelTlb;
        AllocateBlocks();
        ForgetJumps();
    }

    private void FreeTables()
    {
        FreeBlocks();
        if (_tables != null)
            MemoryMap.Unmap(_tables, TableBytes);
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct TlbEntry
    {
        /// <summary>Linear address of the page when it may be read, else <see cref="InvalidTag"/>.</summary>
        public uint ReadTag;

        /// <summary>The same when it may be written without asking anyone.</summary>
        public uint WriteTag;

        /// <summary>Host address minus linear address.</summary>
        public nint Addend;
    }
}
