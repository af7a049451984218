// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Cpu;
using Lguest.GuestAbi;

namespace Lguest.Engine.Interpreter;

/// <summary>
/// Segmentation the long way: for segments that are not flat, stacks that are not 32 bits wide, and loads of segment
/// registers (Intel SDM vol. 3, chapter 5). The common case never comes here: see <see cref="CodeMode"/>.
/// </summary>
public sealed unsafe partial class InterpreterCore
{
    /// <summary>#GP(0): does not return.</summary>
    internal Exception RaiseProtection(uint errorCode = 0) => Raise(ExceptionVector.GeneralProtection, errorCode);

    /// <summary>Linear address of an access through a segment, after the processor's checks of rights and limit.</summary>
    internal uint SegmentAddress(SegmentName name, uint offset, uint size, bool write)
    {
        ref SegmentRegister segment = ref Cpu->Arch.Segment(name);
        uint attributes = segment.Attributes;
        byte vector = name == SegmentName.Ss ? ExceptionVector.StackFault : ExceptionVector.GeneralProtection;
        if ((attributes & SegmentLoad.PresentBit) == 0)
            throw Raise(ExceptionVector.GeneralProtection);
        bool code = (attributes & SegmentLoad.CodeBit) != 0;
        if (write ? code || (attributes & SegmentLoad.ReadableOrWritableBit) == 0 : code && (attributes & SegmentLoad.ReadableOrWritableBit) == 0)
            throw Raise(ExceptionVector.GeneralProtection);
        uint last = offset + (size - 1);
        if (!code && (attributes & SegmentLoad.ConformingOrExpandDownBit) != 0)
        {
            uint top = (attributes & SegmentLoad.BigBit) != 0 ? uint.MaxValue : 0xFFFF;
            if (offset <= segment.Limit || last > top || last < offset)
                throw Raise(vector);
        }
        else if (segment.Limit != uint.MaxValue && (last > segment.Limit || last < offset))
        {
            throw Raise(vector);
        }

        return segment.Base + offset;
    }

    /// <summary>#AC for a misaligned access from ring 3 with AC set.</summary>
    internal void CheckAlignment(uint linear, uint size)
    {
        if (size is 2 or 4 or 8 && (linear & (size - 1)) != 0)
            throw Raise(ExceptionVector.AlignmentCheck);
    }

    /// <summary>Mask of the stack pointer: %esp or %sp.</summary>
    internal uint StackMask => (Cpu->Arch.Ss.Attributes & SegmentLoad.BigBit) != 0 ? uint.MaxValue : 0xFFFF;

    /// <summary>Linear address at an offset from the stack pointer, checked.</summary>
    internal uint StackAddress(int offset, uint size, bool write)
    {
        uint linear = SegmentAddress(SegmentName.Ss, (Cpu->Arch.Registers[(int)GeneralRegister.Esp] + (uint)offset) & StackMask, size, write);
        if ((_mode & CodeMode.AlignmentCheck) != 0)
            CheckAlignment(linear, size);
        return linear;
    }

    /// <summary>A word of the stack.</summary>
    internal uint StackRead(int offset, int size) => (uint)ReadSlow(StackAddress(offset, (uint)size, write: false), size);

    /// <summary>Moves the stack pointer.</summary>
    internal void StackMove(int offset)
    {
        uint mask = StackMask;
        Cpu->Arch.Registers[(int)GeneralRegister.Esp] = (Cpu->Arch.Registers[(int)GeneralRegister.Esp] & ~mask) | ((Cpu->Arch.Registers[(int)GeneralRegister.Esp] + (uint)offset) & mask);
    }

    /// <summary>Pushes a word; the stack pointer moves only if that worked.</summary>
    internal void Push(uint value, int size)
    {
        WriteSlow(StackAddress(-size, (uint)size, write: true), size, value);
        StackMove(-size);
    }

    /// <summary>Loads a data or stack segment register as MOV does, with all the checks.</summary>
    internal void LoadSegment(SegmentName name, uint selector)
    {
        selector &= 0xFFFF;
        uint error = selector & 0xFFFC;
        ref SegmentRegister segment = ref Cpu->Arch.Segment(name);
        if (name == SegmentName.Ss)
        {
            CheckStackSegment(selector, Cpu->Arch.Cpl, ExceptionVector.GeneralProtection, out ulong stack);
            SegmentLoad.SetHidden(ref segment, selector, stack);
            UpdateMode();
            return;
        }

        if (error == 0)
        {
            SegmentLoad.SetHidden(ref segment, selector, 0);
            UpdateMode();
            return;
        }

        if (!Gdt.TryGet(selector, out ulong descriptor))
            throw RaiseProtection(error);
        uint attributes = SegmentLoad.Attributes(descriptor);
        bool code = (attributes & SegmentLoad.CodeBit) != 0;
        if ((attributes & SegmentLoad.NonSystemBit) == 0 || (code && (attributes & SegmentLoad.ReadableOrWritableBit) == 0))
            throw RaiseProtection(error);
        bool conforming = code && (attributes & SegmentLoad.ConformingOrExpandDownBit) != 0;
        if (!conforming && Math.Max(Cpu->Arch.Cpl, selector & 3) > SegmentLoad.Dpl(attributes))
            throw RaiseProtection(error);
        if ((attributes & SegmentLoad.PresentBit) == 0)
            throw Raise(ExceptionVector.SegmentNotPresent, error);
        SegmentLoad.SetHidden(ref segment, selector, descriptor);
        UpdateMode();
    }

    /// <summary>Far JMP and CALL targets, and RETF and IRET to the same ring: checks, and gives the descriptor.</summary>
    /// <param name="selector">The new %cs.</param>
    /// <param name="offset">The new EIP.</param>
    /// <param name="isReturn">RETF or IRET: the RPL says which ring.</param>
    internal ulong CheckCodeSegment(uint selector, uint offset, bool isReturn)
    {
        uint error = selector & 0xFFFC;
        if (error == 0)
            throw RaiseProtection();
        if (!Gdt.TryGet(selector, out ulong descriptor))
            throw RaiseProtection(error);
        uint attributes = SegmentLoad.Attributes(descriptor);
        const uint codeBits = SegmentLoad.NonSystemBit | SegmentLoad.CodeBit;
        if ((attributes & codeBits) != codeBits)
            throw RaiseProtection(error);
        uint dpl = SegmentLoad.Dpl(attributes);
        uint rpl = selector & 3;
        bool conforming = (attributes & SegmentLoad.ConformingOrExpandDownBit) != 0;
        bool allowed = isReturn
            ? rpl >= Cpu->Arch.Cpl && (conforming ? dpl <= rpl : dpl == rpl)
            : conforming ? dpl <= Cpu->Arch.Cpl : rpl <= Cpu->Arch.Cpl && dpl == Cpu->Arch.Cpl;
        if (!allowed)
            throw RaiseProtection(error);
        if ((attributes & SegmentLoad.PresentBit) == 0)
            throw Raise(ExceptionVector.SegmentNotPresent, error);
        if (offset > SegmentLoad.Limit(descriptor) && (!isReturn || rpl == Cpu->Arch.Cpl))
            throw RaiseProtection();
        return descriptor;
    }

    /// <summary>A selector for %ss at some privilege level.</summary>
    internal void CheckStackSegment(uint selector, uint ring, byte nullVector, out ulong descriptor)
    {
        uint error = selector & 0xFFFC;
        if (error == 0)
            throw Raise(nullVector);
        if (!Gdt.TryGet(selector, out descriptor))
            throw RaiseProtection(error);
        uint attributes = SegmentLoad.Attributes(descriptor);
        const uint kind = SegmentLoad.NonSystemBit | SegmentLoad.CodeBit | SegmentLoad.ReadableOrWritableBit;
        if ((selector & 3) != ring || SegmentLoad.Dpl(attributes) != ring
            || (attributes & kind) != (SegmentLoad.NonSystemBit | SegmentLoad.ReadableOrWritableBit))
        {
            throw RaiseProtection(error);
        }

        if ((attributes & SegmentLoad.PresentBit) == 0)
            throw Raise(ExceptionVector.StackFault, error);
    }

    /// <summary>Returning to an outer ring: data segments that it may not use become null.</summary>
    internal void DropInnerSegments()
    {
        foreach (SegmentName name in (ReadOnlySpan<SegmentName>)[SegmentName.Es, SegmentName.Ds, SegmentName.Fs, SegmentName.Gs])
        {
            ref SegmentRegister segment = ref Cpu->Arch.Segment(name);
            bool conforming = (segment.Attributes & (SegmentLoad.CodeBit | SegmentLoad.ConformingOrExpandDownBit))
                == (SegmentLoad.CodeBit | SegmentLoad.ConformingOrExpandDownBit);
            if (segment.Attributes != 0 && !conforming && SegmentLoad.Dpl(segment.Attributes) < Cpu->Arch.Cpl)
                SegmentLoad.SetHidden(ref segment, 0, 0);
        }
    }
}
