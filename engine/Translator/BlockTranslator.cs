// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using Iced.Intel;
using Lguest.Engine.Cpu;
using Lguest.Engine.Interpreter;
using Lguest.Engine.Native;
using Lguest.GuestAbi;

namespace Lguest.Engine.Translator;

// [T:130] From guest code to host code
/// <summary>
/// Makes host code of guest code, a block at a time. i386 and x86-64 are nearly the same instruction set: most instructions
/// are encoded again as they are, with their memory operand moved into the window (%gs, 32-bit address) and %esp renamed. The
/// stack, branches and string instructions get a few host instructions each; what is rare, privileged or works on segments is
/// handed to the interpreter, one instruction at a time.
/// <para>Two rules make every fault and interruption precise: glue never changes the flags, and an instruction changes
/// nothing that doing it again would not do again before its last step.</para>
/// </summary>
internal sealed unsafe partial class BlockTranslator : IDisposable
{
    private const int MaxInstructions = 64;
    private const int MaxInstructionBytes = 15;

    /// <summary>Host bytes that a block may take at most, generously.</summary>
    public const int MaxHostBytes = MaxInstructions * 160;

    private readonly CodeCache _code;
    private readonly InterpreterCore _interpreter;
    private readonly GuestMemory _memory;
    private readonly HostAssembler _emit;
    private readonly SideTable _side;
    private readonly byte* _exit;
    private readonly PointerCodeReader _reader = new();
    private readonly byte* _crossing = (byte*)NativeMemory.AllocZeroed(16);
    private readonly byte* _peeked = (byte*)NativeMemory.AllocZeroed(16);

    // Read once: what is translated is a copy, and what is emitted is what was looked at. Frames that other processes can write
    // (the page of --sharenet) are not even translated from a copy, since what is made of them would be kept: their code is the
    // interpreter's.
    private readonly byte* _copy = (byte*)NativeMemory.AllocZeroed(MaxInstructions * MaxInstructionBytes);
    private readonly Decoder _decoder;
    private readonly PointerCodeReader _aheadReader = new();
    private readonly Decoder _ahead;
    private readonly List<(HostLabel Site, uint Target)> _links = [];
    private Block? _block;
    private TranslationMode _mode;
    private uint _blockPage;
    private byte* _bytes;
    private bool _ended;

    /// <summary>Makes code for a cache.</summary>
    /// <param name="code">Where it is kept.</param>
    /// <param name="interpreter">Whoever fetches instructions.</param>
    public BlockTranslator(CodeCache code, InterpreterCore interpreter)
    {
        _code = code;
        _interpreter = interpreter;
        _memory = interpreter.Memory;
        _emit = code.Emit;
        _side = code.Side;
        _exit = code.Stubs.Exit;
        _decoder = Decoder.Create(32, _reader, PointerCodeReader.Processor);
        _ahead = Decoder.Create(32, _aheadReader, PointerCodeReader.Processor);
    }

    /// <summary>Lowest linear address of the kernel's part, which is the same in all address spaces.</summary>
    public uint KernelStart { get; set; } = 0xC000_0000;

    /// <summary>Whether blocks are linked to each other by nobody: see <see cref="TranslatorCore.Unchained"/>.</summary>
    public bool Unchained { get; set; }

    /// <summary>Frees its copies of guest code; nothing may be translated any more.</summary>
    public void Dispose()
    {
        NativeMemory.Free(_crossing);
        NativeMemory.Free(_peeked);
        NativeMemory.Free(_copy);
    }

    /// <summary>Translates what is at an EIP.</summary>
    /// <param name="block">Its key; the rest is filled in.</param>
    /// <param name="place">Executable address to write to; <see cref="MaxHostBytes"/> are free there.</param>
    /// <returns>Behind the last byte written.</returns>
    public byte* Translate(Block block, byte* place)
    {
        _block = block;
        uint eip = block.Key.Eip;
        uint physical = block.Key.Physical;
        int room = (int)(Page.Size - (physical & Page.OffsetMask));
        _mode = block.Key.Mode;
        _blockPage = eip & ~Page.OffsetMask;
        _links.Clear();
        _ended = false;
        _floatLoaded = false;
        if (_memory.IsForeign(physical))
            return Foreign(block, place);
        int length = Math.Min(room, MaxInstructions * MaxInstructionBytes);
        new ReadOnlySpan<byte>(_memory.Base + physical, length).CopyTo(new Span<byte>(_copy, length));
        _reader.Reset(_copy, length);
        _decoder.IP = eip;
        _emit.Start(place);
        block.Host = _emit.Here;
        uint next = eip;
        for (int count = 0; count < MaxInstructions && !_ended; count++)
        {
            _decoder.Decode(out Instruction instruction);
            _side.Add(_emit.Offset, next, SideKind.Instruction);
            _bytes = null;
            if (_reader.RanOut && Crossing(block, next, _copy + (next - eip), physical + (next - eip), out Instruction whole) && Emit(in whole))
            {
                next = whole.NextIP32;
                break;
            }

            // In ring 3 such an instruction is a block of its own: it depends on more than the others.
            if (_reader.RanOut && count != 0 && (_mode & TranslationMode.User) != 0)
                break;
            if (_reader.RanOut)
            {
                block.Physical2 = 0;
                block.Bytes2 = 0;

                // It crosses into the next page, or cannot be decoded: either is the interpreter's.
                EmitInterpret(next, null);
                _ended = true;
                next = _blockPage + Page.Size;
                break;
            }

            uint here = next;
            next = instruction.NextIP32;
            _bytes = _copy + (here - eip);
            if (instruction.IsInvalid || _code.Interpreted.IsPreferred(physical + (here - eip)) || !Emit(in instruction))
                EmitInterpret(here, &instruction);
            if ((next & Page.OffsetMask) == 0)
                break;
        }

        block.Bytes = (int)Math.Min((uint)room, next - eip);
        if (block.Bytes2 != 0)
            block.Bytes2 = (int)(next & Page.OffsetMask);
        block.End = next;
        if (!_ended)
            GoTo(next);
        EmitLinkStubs();
        return _emit.Here;
    }

    /// <summary>Code that other processes can write: each of its instructions is the interpreter's, and fetched when its turn comes.</summary>
    private byte* Foreign(Block block, byte* place)
    {
        uint eip = block.Key.Eip;
        _emit.Start(place);
        block.Host = _emit.Here;
        block.End = eip;
        _side.Add(_emit.Offset, eip, SideKind.Instruction);
        EmitInterpret(eip, null);
        return _emit.Here;
    }

    /// <summary>
    /// Whether the instruction at a guest physical address crosses into the next page. Nobody but the guest writes to the frame, and
    /// the guest does not run now: what is translated later is what was looked at here.
    /// </summary>
    public bool Crosses(uint physical)
    {
        int room = (int)(Page.Size - (physical & Page.OffsetMask));
        if (room >= MaxInstructionBytes || _memory.IsForeign(physical))
            return false;
        new ReadOnlySpan<byte>(_memory.Base + physical, room).CopyTo(new Span<byte>(_peeked, room)); // Read once
        _aheadReader.Reset(_peeked, room);
        _ahead.Decode(out _);
        return _aheadReader.RanOut;
    }

    /// <summary>
    /// An instruction that crosses into the next page. In the kernel's part that is the same page in all address spaces, and
    /// when that changes all code goes; in ring 3 the block's key says which page it is. The kernel's code elsewhere is the
    /// interpreter's there, and so is what ends in a page that others can write.
    /// </summary>
    /// <param name="block">The block it is to be part of.</param>
    /// <param name="eip">Where it is.</param>
    /// <param name="code">The private copy of its beginning.</param>
    /// <param name="physical">Guest physical address of that.</param>
    /// <param name="instruction">It, decoded from private memory.</param>
    private bool Crossing(Block block, uint eip, byte* code, uint physical, out Instruction instruction)
    {
        instruction = default;
        bool user = (_mode & TranslationMode.User) != 0;
        if (user ? block.Key.Rest == 0 : _blockPage < KernelStart)
            return false;
        int first = (int)(Page.Size - (physical & Page.OffsetMask));
        uint physical2 = block.Key.Rest;
        if (first >= MaxInstructionBytes || (!user && !_interpreter.TryFetch(_blockPage + Page.Size, out physical2, out _)) || _memory.IsForeign(physical2))
            return false;

        // Read once: the first part was copied already.
        new Span<byte>(code, first).CopyTo(new Span<byte>(_crossing, first));
        new Span<byte>(_memory.Base + physical2, MaxInstructionBytes - first).CopyTo(new Span<byte>(_crossing + first, MaxInstructionBytes - first));
        _reader.Reset(_crossing, MaxInstructionBytes);
        _decoder.IP = eip;
        _decoder.Decode(out instruction);
        bool whole = !_reader.RanOut && !instruction.IsInvalid && !_code.Interpreted.IsPreferred(physical);
        _reader.Reset(_crossing, 0);
        _reader.ReadByte();
        if (!whole)
            return false;
        block.Physical2 = physical2;
        block.Bytes2 = 1;
        return true;
    }

    /// <summary>Leaves for the interpreter; the code after it is where it comes back to, if the instruction is known.</summary>
    private uint EmitInterpret(uint eip, Instruction* instruction)
    {
        uint number = _code.Interpreted.Add(instruction);
        _emit.Store(State.ExitDetail, number);
        _emit.Store(State.ExitReason, (uint)TranslatedExit.Interpret);
        _emit.Store(State.Eip, eip);
        _emit.Jump(_exit);
        _code.Interpreted.ContinueAt(number, _emit.Here);
        _floatLoaded = false;
        if (instruction == null)
        {
            // Nobody knows here where it goes, so there is no code to go on with.
            _code.Interpreted.ContinueAt(number, null);
            return number;
        }

        // What may change the mode, or goes elsewhere, has nothing after it that could be entered.
        switch (instruction->FlowControl)
        {
            case FlowControl.Next:
            case FlowControl.ConditionalBranch:
                break;
            default:
                _ended = true;

                // Not even if it goes to the next instruction: there is no code for that here.
                _code.Interpreted.ContinueAt(number, null);
                break;
        }

        return number;
    }

    /// <summary>The end of a path: on to an EIP that is known now.</summary>
    private void GoTo(uint target)
    {
        _side.Add(_emit.Offset, target, SideKind.GoingTo);
        if (MayLink(target))
            AddLink(_emit.Jump(), target);
        else
            EmitLookup(target);
    }

    /// <summary>
    /// A direct link is as good as the mapping of the page it leads to: within a page that is the mapping under which the
    /// branch itself runs, unless the instruction there crosses into another; in the kernel's part it is the same in all address
    /// spaces, and when it changes all links go.
    /// </summary>
    private bool MayLink(uint target) =>
        ((target & ~Page.OffsetMask) == _blockPage && !((_mode & TranslationMode.User) != 0 && Crosses(PhysicalOf(target))))
        || ((_mode & TranslationMode.User) == 0 && target >= KernelStart && _blockPage >= KernelStart);

    /// <summary>Where an EIP in the block's page is.</summary>
    private uint PhysicalOf(uint eip) => (_block!.Key.Physical & ~Page.OffsetMask) | (eip & Page.OffsetMask);

    private void AddLink(HostLabel site, uint target)
    {
        if (Unchained)
            _links.Add((site, target));
        else if (target == _block!.Key.Eip)
            _emit.Bind(site, _block.Host);
        else if ((target & ~Page.OffsetMask) == _blockPage && _code.Find(new BlockKey(PhysicalOf(target), target, _mode)) is { } known)
            _emit.Bind(site, known.Host);
        else
            _links.Add((site, target));
    }

    private void EmitLinkStubs()
    {
        foreach ((HostLabel site, uint target) in _links)
        {
            _emit.Bind(site);
            _side.Add(_emit.Offset, target, SideKind.GoingTo);
            _emit.Store(State.Eip, target);
            _emit.Store(State.ExitDetail, site.Site);
            _emit.Store(State.ExitReason, (uint)TranslatedExit.Link);
            _emit.Jump(_exit);
        }
    }

    /// <summary>On to a known EIP in another page, if the branch table has it under the key of now.</summary>
    private void EmitLookup(uint target)
    {
        // Containment: form 4, the branch table.
        int tag = (ushort)target * sizeof(ulong);
        _emit.Move64(Register.R9, Register.RCX);
        _side.Add(_emit.Offset, target, SideKind.GoingToWithEcxInR9);
        _emit.LoadFromTable(Register.RCX, tag);
        _emit.Add64(Register.RCX, Register.RCX, HostRegister.Key, target);
        HostLabel hit = _emit.JumpIfRcxIsZero();
        _emit.Move64(Register.RCX, Register.R9);
        _side.Add(_emit.Offset, target, SideKind.GoingTo);
        HostLabel miss = _emit.Jump();
        _side.Add(_emit.Offset, target, SideKind.GoingToWithEcxInR9);
        _emit.Bind(hit);
        _emit.Move64(Register.RCX, Register.R9);
        _side.Add(_emit.Offset, target, SideKind.GoingTo);
        _emit.JumpByTable(tag + BranchTable.HostOffset);
        _emit.Bind(miss);
        _emit.MoveSignExtended(Register.R10, target);
        _emit.Jump(_code.SecondProbe);
    }

    /// <summary>On to the EIP in %r10d. Everything else of the instruction is done.</summary>
    private void EmitIndirect()
    {
        // Containment: form 4, the branch table.
        _side.Add(_emit.Offset, 0, SideKind.GoingToR10);
        _emit.SignExtend(Register.R10, Register.R10D);
        _emit.Move64(Register.R9, Register.RCX);
        _side.Add(_emit.Offset, 0, SideKind.GoingToR10WithEcxInR9);
        _emit.ZeroExtend16(Register.ECX, Register.R10D);
        HostLabel hit = CompareTag(0);
        _emit.Move64(Register.RCX, Register.R9);
        _side.Add(_emit.Offset, 0, SideKind.GoingToR10);
        HostLabel miss = _emit.Jump();
        _side.Add(_emit.Offset, 0, SideKind.GoingToR10WithEcxInR9);
        _emit.Bind(hit);
        _emit.Move64(Register.RCX, Register.R9);
        _side.Add(_emit.Offset, 0, SideKind.GoingToR10);
        _emit.Jump(Register.R11);
        _emit.Bind(miss);
        _emit.Jump(_code.SecondProbe);
    }

    /// <summary>Where every lookup goes that found nothing in the first table: the second, then out. The target is in %r10.</summary>
    public void EmitSecondProbe()
    {
        // Containment: form 4, the branch table; the scratch place is the state's.
        _side.Add(_emit.Offset, 0, SideKind.GoingToR10);
        _emit.Move64(Register.R9, Register.RCX);
        _side.Add(_emit.Offset, 0, SideKind.GoingToR10WithEcxInR9);

        // Bits 8 to 23, by way of memory: a shift would change the flags.
        _emit.Store32(State.Scratch, Register.R10D);
        _emit.LoadZeroExtended16(Register.ECX, State.ScratchByte1);
        HostLabel hit = CompareTag(BranchTable.SecondOffset);
        _emit.Move64(Register.RCX, Register.R9);
        _side.Add(_emit.Offset, 0, SideKind.GoingToR10);
        LeaveForR10();
        _side.Add(_emit.Offset, 0, SideKind.GoingToR10WithEcxInR9);
        _emit.Bind(hit);
        _emit.Move64(Register.RCX, Register.R9);
        _side.Add(_emit.Offset, 0, SideKind.GoingToR10);
        _emit.Jump(Register.R11);
    }

    /// <summary>jrcxz if the place that %rcx says has the tag of %r10 and the current key; its host address is in %r11.</summary>
    /// <param name="first">Bytes from the branch table's beginning to the first tag.</param>
    private HostLabel CompareTag(int first)
    {
        _emit.LoadFromTableAtRcx(Register.R11, first + BranchTable.HostOffset);
        _emit.LoadFromTableAtRcx(Register.RCX, first);
        _emit.Add64(Register.RCX, Register.RCX, HostRegister.Key);
        _emit.Add64(Register.RCX, Register.RCX, Register.R10);
        return _emit.JumpIfRcxIsZero();
    }

    /// <summary>Out, to look for the EIP in %r10d.</summary>
    private void LeaveForR10()
    {
        _emit.Store32(State.Eip, Register.R10D);
        _emit.Store(State.ExitReason, (uint)TranslatedExit.Branch);
        _emit.Jump(_exit);
    }
}
