// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using Iced.Intel;
using Lguest.Engine.Check;
using Lguest.Engine.Cpu;
using Lguest.Engine.Instructions;
using Lguest.GuestAbi;

namespace Lguest.Tests.Differential;

/// <summary>
/// <see cref="VendorDifferences"/>, applied to outcomes: where the processor is AMD's and has done exactly what the table says
/// AMD's do, its outcome is turned into what Intel's would have been, and then compared like any other. On other processors
/// nothing is changed.
/// </summary>
/// <param name="vendor">Who made the processor.</param>
internal sealed class VendorRules(ProcessorVendor vendor)
{
    private const int Esp = 4, Esi = 6, Edi = 7;
    private const int BoundRange = ExceptionVector.BoundRange, InvalidOpcode = ExceptionVector.InvalidOpcode, StackFault = ExceptionVector.StackFault;
    private const int Protection = ExceptionVector.GeneralProtection, PageFault = ExceptionVector.PageFault;

    /// <summary>The rules of this processor.</summary>
    public static VendorRules Host { get; } = new(HostProcessor.Vendor);

    /// <summary>Whether PUSH of a segment register writes all of its slot (<see cref="VendorDifferences.PushSegment"/>).</summary>
    public bool PushSegmentWritesAll => vendor == ProcessorVendor.Amd;

    /// <summary>Turns an outcome of this processor into Intel's, as far as the table goes.</summary>
    /// <param name="snippet">What was run.</param>
    /// <param name="expected">What the processor did; changed.</param>
    /// <param name="actual">What Intel's way comes to, if whoever is compared is right.</param>
    public void Apply(Snippet snippet, Outcome expected, Outcome actual)
    {
        if (vendor != ProcessorVendor.Amd)
            return;
        if (expected.Vector == Outcome.NoVector)
        {
            UpperHalfOfSelector(snippet, expected);
            return;
        }

        if (expected.Vector is not (InvalidOpcode or StackFault or Protection or PageFault))
            return;
        uint eip = expected.After.Eip;
        if (expected.Vector == Protection && actual.Vector == InvalidOpcode && expected.ErrorCode == 0 && IsLockMovCr0(snippet, eip))
        {
            expected.Vector = InvalidOpcode;
            return;
        }

        Instruction instruction = snippet.Instructions().FirstOrDefault(one => one.IP32 == eip);
        if (instruction.Code == Code.Pushd_FS && expected.Vector == PageFault)
            UpperHalfFaults(snippet, in instruction, expected, actual);
        if (IsUpperBound(in instruction, expected, actual))
            (expected.Vector, expected.ErrorCode, expected.FaultAddress) = (BoundRange, 0, 0);
        bool repeats = instruction.HasRepePrefix || instruction.HasRepnePrefix;
        if (IsAcrossTheTop(in instruction, expected, actual) || (repeats && IsOtherOperand(in instruction, expected, actual)))
        {
            expected.Vector = actual.Vector;
            expected.ErrorCode = actual.ErrorCode;
            expected.FaultAddress = actual.FaultAddress;
        }

        if (repeats && IsComparison(in instruction) && LastComparison(in instruction, expected) is { } flags
            && ((expected.After.Flags ^ flags) & EFlags.Arithmetic) == 0)
        {
            expected.After.Flags = (expected.After.Flags & ~EFlags.Arithmetic) | (actual.After.Flags & EFlags.Arithmetic);
        }
    }

    /// <summary>In a snippet that is one PUSH %fs: the upper half was written as 0. In sequences the generator writes it.</summary>
    private static void UpperHalfOfSelector(Snippet snippet, Outcome expected)
    {
        Instruction instruction = snippet.Instructions().FirstOrDefault();
        int at = Layout.ImageOffset(expected.After.Registers[Esp] + 2);
        if (instruction.Code != Code.Pushd_FS || instruction.Length != snippet.Code.Length || at < 0)
            return;
        Span<byte> upper = expected.Memory.AsSpan(at, 2);
        if (upper[0] == 0 && upper[1] == 0)
            snippet.Memory.AsSpan(at, 2).CopyTo(upper);
    }

    /// <summary>The slot's lower half could be written and its upper half not: Intel's do not notice, or at what writes it later.</summary>
    private static void UpperHalfFaults(Snippet snippet, in Instruction push, Outcome expected, Outcome actual)
    {
        uint slot = expected.After.Registers[Esp] - sizeof(uint);
        int at = Layout.ImageOffset(slot);
        if (expected.FaultAddress - slot is not (2 or 3) || (expected.FaultAddress & (Layout.PageSize - 1)) != 0 || at < 0)
            return;
        expected.Memory.AsSpan(at, 2).Clear();
        expected.After.Registers[Esp] = slot;
        expected.After.Eip += (uint)push.Length;
        if (expected.After.Eip == snippet.End && actual.Vector == Outcome.NoVector)
            (expected.Vector, expected.ErrorCode, expected.FaultAddress) = (Outcome.NoVector, 0, 0);
    }

    /// <summary>BOUND's lower bound was enough for the other, and the upper bound could not be read.</summary>
    private static bool IsUpperBound(in Instruction instruction, Outcome expected, Outcome actual)
    {
        if (instruction.Mnemonic != Mnemonic.Bound || actual.Vector != BoundRange)
            return false;
        uint[] registers = expected.After.Registers;
        uint upper = (uint)instruction.GetVirtualAddress(1, 0, (register, _, _) => register switch
        {
            _ when register.IsGPR32() => registers[register.GetNumber()],
            _ when register.IsGPR16() => (ushort)registers[register.GetNumber()],
            Register.GS => Layout.Data,
            _ => 0,
        });
        uint size = (uint)instruction.MemorySize.GetSize() / 2;
        upper += size;
        if (expected.Vector == PageFault)
            return expected.FaultAddress - upper < size;
        return expected.ErrorCode == 0 && (instruction.MemorySegment == Register.GS ? upper - Layout.Data + size - 1 > Layout.GsLimit : upper + size < upper);
    }

    private static bool IsLockMovCr0(Snippet snippet, uint eip)
    {
        ReadOnlySpan<byte> code = snippet.Code.AsSpan((int)(eip - snippet.Start));
        bool locked = false;
        int at = 0;
        for (; at < code.Length && code[at] is 0xF0 or 0xF2 or 0xF3 or 0x26 or 0x2E or 0x36 or 0x3E or 0x64 or 0x65 or 0x66; at++)
            locked |= code[at] == 0xF0;
        const int register = 0x38;
        return locked && at + 2 < code.Length && code[at] == 0x0F && code[at + 1] is 0x20 or 0x22 && (code[at + 2] & register) == 0;
    }

    private static bool IsAcrossTheTop(in Instruction instruction, Outcome expected, Outcome actual)
    {
        const uint longest = 4;
        if (expected.Vector is not (StackFault or Protection) || expected.ErrorCode != 0 || actual.Vector != PageFault)
            return false;
        uint size = Math.Min(longest, (uint)Math.Max(instruction.MemorySize.GetSize(), Math.Abs(instruction.StackPointerIncrement)));
        return (ulong)actual.FaultAddress + size > 1UL << 32;
    }

    private static bool IsOtherOperand(in Instruction instruction, Outcome expected, Outcome actual)
    {
        if (!IsComparison(in instruction) || !instruction.Op0Kind.ToString().StartsWith("MemorySeg", StringComparison.Ordinal) || actual.Vector != PageFault)
            return false;
        uint mask = instruction.Op0Kind == OpKind.MemorySegSI ? ushort.MaxValue : uint.MaxValue;
        uint size = (uint)instruction.MemorySize.GetSize();
        bool targetFaults = actual.FaultAddress - (actual.After.Registers[Edi] & mask) < size;
        uint source = actual.After.Registers[Esi] & mask;
        bool gs = instruction.MemorySegment == Register.GS;
        if (gs && expected.Vector == Protection)
            return targetFaults && source + size - 1 > Layout.GsLimit;
        return targetFaults && expected.Vector == PageFault && expected.FaultAddress - (source + (gs ? Layout.Data : 0)) < size;
    }

    private static bool IsComparison(in Instruction instruction) =>
        (InstructionCatalog.Of(in instruction).Differs & Differences.RepeatedComparisonFault) != 0;

    /// <summary>The arithmetic flags of the comparison before the one that faulted; null when its operands are not in sight.</summary>
    private static uint? LastComparison(in Instruction instruction, Outcome expected)
    {
        int size = instruction.MemorySize.GetSize();
        uint back = (expected.After.Flags & EFlags.Direction) != 0 ? (uint)size : (uint)-size;
        bool scans = instruction.Op0Kind == OpKind.Register;
        bool narrow = instruction.Op0Kind == OpKind.MemorySegSI || instruction.Op1Kind == OpKind.MemoryESDI;
        uint mask = narrow ? ushort.MaxValue : uint.MaxValue;
        uint segment = instruction.MemorySegment == Register.GS ? Layout.Data : 0;
        if (Read((expected.After.Registers[Edi] + back) & mask) is not { } right)
            return null;
        uint? left = scans ? expected.After.Registers[0] : Read(((expected.After.Registers[Esi] + back) & mask) + segment);
        return left is { } known ? Compare(known, right, size) : null;

        uint? Read(uint linear)
        {
            int at = Layout.ImageOffset(linear);
            if (at < 0 || Layout.ImageOffset(linear + (uint)size - 1) != at + size - 1)
                return null;
            Span<byte> word = stackalloc byte[sizeof(uint)];
            word.Clear();
            expected.Memory.AsSpan(at, size).CopyTo(word);
            return BinaryPrimitives.ReadUInt32LittleEndian(word);
        }
    }

    private static uint Compare(uint left, uint right, int size)
    {
        uint mask = uint.MaxValue >> (32 - (8 * size));
        uint sign = (mask >> 1) + 1;
        left &= mask;
        right &= mask;
        uint result = (left - right) & mask;
        uint flags = left < right ? EFlags.Carry : 0;
        flags |= result == 0 ? EFlags.Zero : 0;
        flags |= (result & sign) != 0 ? EFlags.Sign : 0;
        flags |= ((left ^ right) & (left ^ result) & sign) != 0 ? EFlags.Overflow : 0;
        flags |= ((left ^ right ^ result) & EFlags.Adjust) != 0 ? EFlags.Adjust : 0;
        flags |= (System.Numerics.BitOperations.PopCount(result & 0xFF) & 1) == 0 ? EFlags.Parity : 0;
        return flags;
    }
}
