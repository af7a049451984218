// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using Iced.Intel;

namespace Lguest.Tests.Differential;

/// <summary>
/// Writes instances of forms, one after the other, into a snippet: random operands, memory operands that (mostly) point into
/// the data pages. What registers hold is known as long as no instruction wrote them; a register that was not used at all yet
/// can still be given the starting value that an operand wants.
/// </summary>
internal sealed class InstructionWriter
{
    public const int MaxBytes = 400;

    private const int Esp = 4;
    private const int MaxInstructionBytes = 15;

    private readonly byte[] _code = new byte[MaxBytes];
    private readonly byte[] _one = new byte[32];
    private readonly InstructionInfoFactory _info = new();
    private readonly bool _hasGs;
    private XorShift _random = new(0);
    private Snippet _snippet = new();
    private int _length;
    private uint _written;
    private uint _used;

    /// <param name="hasGs">Whether %gs is set up on this host.</param>
    public InstructionWriter(bool hasGs) => _hasGs = hasGs;

    public ReadOnlySpan<byte> Code => _code.AsSpan(0, _length);

    public int Length => _length;

    /// <summary>Registers that some instruction wrote, as bits.</summary>
    public uint Written => _written;

    /// <summary>Address of the last memory operand.</summary>
    public uint Target { get; private set; }

    public void Start(Snippet snippet, XorShift random)
    {
        _snippet = snippet;
        _random = random;
        _length = 0;
        _written = 0;
        _used = 0;
        Target = Layout.Data;
    }

    /// <summary>Makes sure that a register holds a value: as its starting value or, when that is too late, by a MOV.</summary>
    public void Want(int register, uint value)
    {
        if ((_used >> register & 1) == 0)
        {
            _snippet.Before.Registers[register] = value;
            _used |= 1u << register;
            return;
        }

        _code[_length++] = (byte)(0xB8 + register);
        BinaryPrimitives.WriteUInt32LittleEndian(_code.AsSpan(_length), value);
        _length += 4;
        _written |= 1u << register;
    }

    /// <summary>The value of a register, if it is known here.</summary>
    public uint? Known(int register) => (_written >> register & 1) == 0 ? _snippet.Before.Registers[register] : null;

    /// <summary>Adds finished bytes of one or more instructions.</summary>
    public void Append(params ReadOnlySpan<byte> bytes)
    {
        int start = _length;
        bytes.CopyTo(_code.AsSpan(_length));
        _length += bytes.Length;
        for (int at = start; at < _length;)
        {
            Instruction instruction = Decode(at);
            Note(instruction);
            at += instruction.Length;
        }
    }

    /// <summary>Takes back everything behind a place.</summary>
    /// <returns>The bytes taken back.</returns>
    public byte[] Cut(int length)
    {
        byte[] cut = _code.AsSpan(length, _length - length).ToArray();
        _length = length;
        return cut;
    }

    /// <summary>Adds an instance of a form.</summary>
    /// <param name="form">The form.</param>
    /// <param name="prepare">Looks at the instruction before it is added, and may ask for register values; false refuses it.</param>
    /// <param name="instruction">What was added.</param>
    /// <returns>False when nothing was added.</returns>
    public bool TryAppend(InstructionForm form, Func<Instruction, bool> prepare, out Instruction instruction)
    {
        int length = Write(form);
        instruction = Decoder.Create(32, _one.AsSpan(0, length).ToArray(), 0).Decode();
        if (length > MaxInstructionBytes || (instruction.Length != length && !instruction.IsInvalid) || !prepare(instruction))
            return false;
        _one.AsSpan(0, length).CopyTo(_code.AsSpan(_length));
        _length += length;
        if (!instruction.IsInvalid)
            Note(instruction);
        return true;
    }

    /// <summary>An address for an operand: mostly in the writable data, sometimes where it faults in part or whole.</summary>
    public uint PickTarget()
    {
        uint near = (uint)_random.Below(40);
        return _random.Below(100) switch
        {
            < 76 => Layout.Data + 64 + (uint)_random.Below((int)Layout.WritableBytes - 192),
            < 84 => Layout.Data + Layout.PageSize - near,
            < 89 => Layout.Data + Layout.WritableBytes - near,
            < 92 => Layout.Data + Layout.WritableBytes + (uint)_random.Below((int)Layout.PageSize - 64),
            < 95 => Layout.Data + Layout.DataBytes - near,
            < 98 => Layout.Data - near,
            98 => Layout.Stack + Layout.PageSize - near,
            _ => _random.Word() | 0x8000_0000,
        };
    }

    private Instruction Decode(int at) =>
        Decoder.Create(32, _code.AsSpan(at, Math.Min(MaxInstructionBytes, _length - at)).ToArray(), _snippet.Start + (uint)at).Decode();

    private void Note(in Instruction instruction)
    {
        foreach (UsedRegister used in _info.GetInfo(instruction, InstructionInfoOptions.NoMemoryUsage).GetUsedRegisters())
        {
            if (!used.Register.IsGPR())
                continue;
            uint bit = 1u << used.Register.GetFullRegister32().GetNumber();
            _used |= bit;
            if (used.Access is not (OpAccess.Read or OpAccess.CondRead or OpAccess.NoMemAccess))
                _written |= bit;
        }
    }

    private int Write(InstructionForm form)
    {
        int at = 0;
        bool size16 = form.OperandSizeAllowed && _random.OneIn(4);
        bool address16 = form.HasModRm && form.MemoryAllowed && _hasGs && _random.OneIn(12);
        if (form.IsOffset || form.Repeatable)
            address16 = _random.OneIn(form.IsOffset ? 8 : 16);
        int segment = Segment(address16);
        bool memory = form.HasModRm && form.MemoryAllowed && form.FixedModRm < 0 && (!form.RegisterAllowed || _random.Below(2) == 0);
        bool locked = form.Lockable ? memory && _random.OneIn(4) : _random.OneIn(200);
        if (locked || _random.OneIn(400))
            _one[at++] = 0xF0;
        if (form.Repeatable && _random.OneIn(2))
            _one[at++] = (byte)(0xF2 + _random.Below(2));
        if (segment != 0)
            _one[at++] = (byte)segment;
        if (size16)
            _one[at++] = 0x66;
        if (address16)
            _one[at++] = 0x67;
        foreach (byte prefix in form.Prefix)
            _one[at++] = prefix;
        form.Opcode.CopyTo(_one, at);
        at += form.Opcode.Length;
        if (form.AddsRegister)
            _one[at - 1] |= (byte)_random.Below(8);
        if (form.FixedModRm >= 0)
            _one[at++] = (byte)form.FixedModRm;
        else if (form.HasModRm)
            at = WriteModRm(at, form, memory, address16, segment == 0x65);
        if (form.IsOffset)
            at = WriteOffset(at, address16, segment == 0x65);
        for (int i = 0; i < form.ImmediateBytes; i++)
            _one[at++] = (byte)(_random.OneIn(2) ? _random.Operand() : _random.Word());
        if (form.HasWideImmediate)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(_one.AsSpan(at), _random.Operand());
            at += size16 ? 2 : 4;
        }

        return at;
    }

    // 0x65 is %gs, the only one whose base is not 0; %fs is null.
    private int Segment(bool address16)
    {
        if (_hasGs && (address16 ? !_random.OneIn(8) : _random.OneIn(12)))
            return 0x65;
        if (_random.OneIn(200))
            return 0x64;
        return _random.OneIn(12) ? _random.Pick([0x26, 0x2E, 0x36, 0x3E]) : 0;
    }

    private int WriteOffset(int at, bool address16, bool gs)
    {
        Target = PickTarget();
        uint offset = gs ? Target - Layout.Data : Target;
        BinaryPrimitives.WriteUInt32LittleEndian(_one.AsSpan(at), offset);
        return at + (address16 ? 2 : 4);
    }

    private int WriteModRm(int at, InstructionForm form, bool memory, bool address16, bool gs)
    {
        int reg = form.Extension >= 0 ? form.Extension : _random.Below(8);
        if (!memory)
        {
            _one[at++] = (byte)(0xC0 | (reg << 3) | _random.Below(8));
            return at;
        }

        Target = PickTarget();
        if (form.Alignment > 1 && !_random.OneIn(6))
            Target &= ~(form.Alignment - 1);
        uint offset = gs ? Target - Layout.Data : Target;
        if (address16)
            Target = (gs ? Layout.Data : 0) + (ushort)offset;
        return address16 ? WriteMemory16(at, reg, offset) : WriteMemory32(at, reg, offset);
    }

    private int WriteMemory16(int at, int reg, uint offset)
    {
        int[][] bases = [[3, 6], [3, 7], [5, 6], [5, 7], [6], [7], [5], [3]];
        int rm = _random.Below(8);
        bool absolute = _random.OneIn(8);
        uint known = 0;
        if (!absolute)
        {
            foreach (int register in bases[rm])
            {
                known += Known(register) ?? 0;
                _used |= 1u << register;
            }
        }

        int displacement = (short)(offset - known);
        if (absolute)
            _one[at++] = (byte)((reg << 3) | 6);
        else if (displacement == (sbyte)displacement)
            _one[at++] = (byte)(0x40 | (reg << 3) | rm);
        else
            _one[at++] = (byte)(0x80 | (reg << 3) | rm);
        if (!absolute && displacement == (sbyte)displacement)
        {
            _one[at++] = (byte)displacement;
            return at;
        }

        BinaryPrimitives.WriteInt16LittleEndian(_one.AsSpan(at), (short)displacement);
        return at + 2;
    }

    private int WriteMemory32(int at, int reg, uint offset)
    {
        int baseRegister = _random.OneIn(8) ? -1 : PickKnown();
        int index = _random.OneIn(3) ? PickKnown() : -1;
        if (index == Esp)
            index = -1;
        int scale = _random.Below(4);
        uint indexed = index >= 0 ? (Known(index) ?? 0) << scale : 0;
        if (index >= 0)
            _used |= 1u << index;

        // A base that nobody has used yet can be made to fit a short displacement.
        int mode = 2;
        int displacement;
        if (baseRegister >= 0 && (_used >> baseRegister & 1) == 0 && baseRegister != Esp && !_random.OneIn(3))
        {
            mode = baseRegister == 5 ? 1 : _random.Below(2);
            displacement = mode == 1 ? (sbyte)_random.Word() : 0;
            Want(baseRegister, offset - indexed - (uint)displacement);
        }
        else
        {
            uint known = baseRegister >= 0 ? Known(baseRegister) ?? 0 : 0;
            displacement = (int)(offset - indexed - known);
            if (baseRegister >= 0)
                _used |= 1u << baseRegister;
        }

        bool sib = index >= 0 || baseRegister == Esp || (baseRegister < 0 && _random.OneIn(4));
        if (baseRegister < 0)
            mode = 0;
        _one[at++] = (byte)((mode << 6) | (reg << 3) | (sib ? 4 : baseRegister < 0 ? 5 : baseRegister));
        if (sib)
            _one[at++] = (byte)((scale << 6) | ((index < 0 ? Esp : index) << 3) | (baseRegister < 0 ? 5 : baseRegister));
        if (mode == 1)
        {
            _one[at++] = (byte)displacement;
        }
        else if (mode == 2 || baseRegister < 0)
        {
            BinaryPrimitives.WriteInt32LittleEndian(_one.AsSpan(at), displacement);
            at += 4;
        }

        return at;
    }

    private int PickKnown()
    {
        for (int i = 0; i < 4; i++)
        {
            int register = _random.Below(8);
            if ((_written >> register & 1) == 0)
                return register;
        }

        return _random.Below(8);
    }
}
