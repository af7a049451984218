// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;

namespace Lguest.GuestAbi.Processor;

/// <summary>
/// The legacy FXSAVE image as a 32-bit processor writes it (Intel SDM vol. 1, 10.5.1, table 10-2): where the guest's x87, MMX
/// and SSE state lives. 512 bytes, of which a 32-bit FXSAVE writes the first 288.
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = ByteSize)]
public struct FxImage
{
    /// <summary>Bytes of the whole image.</summary>
    public const int ByteSize = 512;

    /// <summary>Bytes from one register to the next, in <see cref="Stack"/> and in <see cref="Xmm"/>.</summary>
    public const int RegisterStride = 16;

    /// <summary>Bytes that count of a register in <see cref="Stack"/>.</summary>
    public const int StackRegisterBytes = 10;

    /// <summary>Registers in each of them.</summary>
    public const int RegisterCount = 8;

    /// <summary>What FXSAVE writes and FXRSTOR reads outside 64-bit mode, in bytes.</summary>
    public const int Bytes32 = Place.Xmm + (RegisterCount * RegisterStride);

    /// <summary>FCW bits that can be written: masks, precision, rounding, the obsolete infinity control.</summary>
    public const ushort ControlWritable = 0x1F3F;

    /// <summary>FCW bit 6 reads as one.</summary>
    public const ushort ControlFixed = 0x0040;

    /// <summary>FCW after FNINIT.</summary>
    public const ushort ControlInitial = 0x037F;

    /// <summary>FSW: an unmasked exception is pending (ES).</summary>
    public const ushort StatusErrorSummary = 0x0080;

    /// <summary>FSW: B, a copy of ES since the 387.</summary>
    public const ushort StatusBusy = 0x8000;

    /// <summary>FSW: TOP.</summary>
    public const ushort TopMask = 0x3800;

    /// <summary>The six exception flags, the same bits in FSW, MXCSR and (as masks) FCW.</summary>
    public const ushort ExceptionFlags = 0x003F;

    /// <summary>UE among the exception flags.</summary>
    public const ushort Underflow = 0x0010;

    /// <summary>MXCSR: the exception masks, <see cref="ExceptionFlags"/> shifted up by 7.</summary>
    public const uint MxcsrMasks = 0x1F80;

    /// <summary>MXCSR: flush results that underflow to zero.</summary>
    public const uint MxcsrFlushToZero = 0x8000;

    /// <summary>MXCSR: underflow is masked.</summary>
    public const uint MxcsrUnderflowMask = 0x0800;

    /// <summary>MXCSR: bits that may be set (every x86-64 processor has DAZ); others are a general protection fault.</summary>
    public const uint MxcsrValid = 0xFFFF;

    /// <summary>FCW.</summary>
    [FieldOffset(Place.Control)]
    public ushort Control;

    /// <summary>FSW.</summary>
    [FieldOffset(Place.Status)]
    public ushort Status;

    /// <summary>Abridged tags: bit n is 1 when physical register n is in use.</summary>
    [FieldOffset(Place.Tags)]
    public byte Tags;

    /// <summary>FOP, the last instruction's 11 opcode bits.</summary>
    [FieldOffset(Place.Opcode)]
    public ushort Opcode;

    /// <summary>FIP.</summary>
    [FieldOffset(Place.InstructionOffset)]
    public uint InstructionOffset;

    /// <summary>FCS.</summary>
    [FieldOffset(Place.InstructionSelector)]
    public uint InstructionSelector;

    /// <summary>FDP.</summary>
    [FieldOffset(Place.DataOffset)]
    public uint DataOffset;

    /// <summary>FDS.</summary>
    [FieldOffset(Place.DataSelector)]
    public uint DataSelector;

    /// <summary>MXCSR.</summary>
    [FieldOffset(Place.Mxcsr)]
    public uint Mxcsr;

    /// <summary>MXCSR_MASK.</summary>
    [FieldOffset(Place.MxcsrMask)]
    public uint MxcsrMask;

    /// <summary>ST(0)–ST(7), top of stack first, 16 bytes each of which 10 count.</summary>
    [FieldOffset(Place.Stack)]
    public unsafe fixed byte Stack[RegisterCount * RegisterStride];

    /// <summary>XMM0–XMM7.</summary>
    [FieldOffset(Place.Xmm)]
    public unsafe fixed byte Xmm[RegisterCount * RegisterStride];

    /// <summary>TOP.</summary>
    public readonly int Top => (Status >> 11) & 7;

    /// <summary>Sets FCW as FLDCW does: the fixed bits stay, and what it unmasks becomes pending.</summary>
    public void LoadControl(ushort value)
    {
        Control = (ushort)((value & ControlWritable) | ControlFixed);
        SummarizeErrors();
    }

    /// <summary>Makes ES and B follow from the flags and their masks.</summary>
    public void SummarizeErrors()
    {
        const ushort Summary = StatusErrorSummary | StatusBusy;
        bool pending = (Status & ~Control & ExceptionFlags) != 0;
        Status = (ushort)(pending ? Status | Summary : Status & ~Summary);
    }

    /// <summary>FNINIT: registers keep their contents but count as empty.</summary>
    public void Initialize()
    {
        int oldTop = Top;
        Control = ControlInitial;
        Status = 0;
        KeepPlaces(oldTop);
        Tags = 0;
        Opcode = 0;
        InstructionOffset = 0;
        InstructionSelector = 0;
        DataOffset = 0;
        DataSelector = 0;
    }

    /// <summary>FNCLEX.</summary>
    public void ClearExceptions() => Status &= 0x7F00;

    /// <summary>What every MMX instruction does to the x87 state: TOP 0, all registers in use.</summary>
    public void EnterMmx()
    {
        int oldTop = Top;
        Status &= unchecked((ushort)~TopMask);
        KeepPlaces(oldTop);
        Tags = 0xFF;
    }

    /// <summary>
    /// A register keeps its physical place when TOP is set, but the image lists them from the top of the stack.
    /// </summary>
    /// <param name="oldTop">TOP before.</param>
    public unsafe void KeepPlaces(int oldTop)
    {
        int by = (Top - oldTop) & 7;
        if (by == 0)
            return;
        Span<byte> old = stackalloc byte[RegisterCount * RegisterStride];
        fixed (byte* stack = Stack)
        {
            Span<byte> registers = new(stack, RegisterCount * RegisterStride);
            registers.CopyTo(old);
            for (int i = 0; i < RegisterCount; i++)
                old.Slice(RegisterStride * ((i + by) % RegisterCount), RegisterStride).CopyTo(registers[(RegisterStride * i)..]);
        }
    }

    /// <summary>Where each field is, in bytes from the beginning.</summary>
    public static class Place
    {
        /// <summary>2 bytes.</summary>
        public const int Control = 0;

        /// <summary>2 bytes.</summary>
        public const int Status = 2;

        /// <summary>1 byte.</summary>
        public const int Tags = 4;

        /// <summary>2 bytes. Where the last instruction was begins here, and ends before <see cref="Mxcsr"/>.</summary>
        public const int Opcode = 6;

        /// <summary>4 bytes.</summary>
        public const int InstructionOffset = 8;

        /// <summary>2 bytes.</summary>
        public const int InstructionSelector = 12;

        /// <summary>4 bytes.</summary>
        public const int DataOffset = 16;

        /// <summary>2 bytes.</summary>
        public const int DataSelector = 20;

        /// <summary>4 bytes.</summary>
        public const int Mxcsr = 24;

        /// <summary>4 bytes, which are the processor's and not the guest's.</summary>
        public const int MxcsrMask = 28;

        /// <summary>The first of eight.</summary>
        public const int Stack = 32;

        /// <summary>The first of eight.</summary>
        public const int Xmm = 160;
    }
}
