// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using System.Text;
using Iced.Intel;
using Lguest.Engine.Check;
using Lguest.Engine.Cpu;
using Lguest.Engine.FloatingPoint;

namespace Lguest.Tests.Differential;

/// <summary>Tells two outcomes of one snippet apart, and writes down what is different.</summary>
internal static class Comparison
{
    private const int PageFault = 14;
    private const int SimdException = 19;
    private const uint InstructionFetch = 0x10;

    private static readonly string[] s_registers = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"];

    /// <summary>Flags that are the host's business: IF and IOPL cannot change at ring 3, RF is set in what a fault saves.</summary>
    private const uint CheckedFlags = ~(EFlags.Interrupt | EFlags.IoPrivilege | EFlags.Resume);

    /// <summary>Whether both came out the same, as far as that is defined.</summary>
    public static bool Agree(Snippet snippet, Outcome expected, Outcome actual)
    {
        VendorRules.Host.Apply(snippet, expected, actual);
        ForgetMmxTransition(snippet, expected, actual);
        if (snippet.FloatingPoint)
            ForgetPrecision(expected, actual);
        if (expected.Vector == PageFault)
        {
            // A 686 knows no execute protection and does not tell fetches from reads.
            expected.ErrorCode &= ~InstructionFetch;
            ForgetPartialWork(snippet, expected, actual);
        }

        if (expected.Vector != actual.Vector || expected.ErrorCode != actual.ErrorCode || expected.FaultAddress != actual.FaultAddress
            || expected.After.Eip != actual.After.Eip
            || !expected.After.Registers.AsSpan().SequenceEqual(actual.After.Registers)
            || ((expected.After.Flags ^ actual.After.Flags) & FlagMask(snippet, expected)) != 0)
        {
            return false;
        }

        return SameMemory(expected.Memory, actual.Memory, snippet.IgnoredMemory) && (!snippet.FloatingPoint || FxDifference(expected.After.Fx, actual.After.Fx) == null);
    }

    /// <summary>Everything there is to know about a disagreement.</summary>
    public static string Describe(Snippet snippet, Outcome expected, Outcome actual)
    {
        StringBuilder text = new();
        text.AppendLine($"seed 0x{snippet.Seed:x}  code {Convert.ToHexString(snippet.Code)}");
        FastFormatter formatter = new();
        FastStringOutput output = new();
        foreach (Instruction instruction in snippet.Instructions())
        {
            output.Clear();
            formatter.Format(instruction, output);
            text.AppendLine($"  {instruction.IP32:x8}  {output}");
        }

        text.AppendLine($"{"",8} {"before",10} {"processor",10} {"other",10}");
        for (int i = 0; i < 8; i++)
            Line(text, s_registers[i], snippet.Before.Registers[i], expected.After.Registers[i], actual.After.Registers[i]);
        Line(text, "eip", snippet.Start, expected.After.Eip, actual.After.Eip);
        Line(text, "eflags", snippet.Before.Flags, expected.After.Flags, actual.After.Flags, FlagMask(snippet, expected));
        Line(text, "vector", 0, (uint)expected.Vector, (uint)actual.Vector);
        Line(text, "error", 0, expected.ErrorCode, actual.ErrorCode);
        Line(text, "cr2", 0, expected.FaultAddress, actual.FaultAddress);
        DescribeMemory(text, snippet.Memory, expected.Memory, actual.Memory);
        if (snippet.FloatingPoint && FxDifference(expected.After.Fx, actual.After.Fx) is { } field)
        {
            text.AppendLine($"  floating point differs in {field}; before, processor, other:");
            foreach (byte[] fx in new[] { snippet.Before.Fx, expected.After.Fx, actual.After.Fx })
                text.AppendLine("   " + Convert.ToHexString(fx, 0, 32) + "\n    st " + Convert.ToHexString(fx, 32, 128) + "\n    xmm " + Convert.ToHexString(fx, 160, 128));
        }

        return text.ToString();
    }

    /// <summary>
    /// PUSHA, POPA, ENTER and stores of the floating-point state that fault midway have done some of their work, as much as the
    /// processor's makers saw fit; done again it comes to the same. Makes the other outcome agree in just that.
    /// </summary>
    private static void ForgetPartialWork(Snippet snippet, Outcome expected, Outcome actual)
    {
        const int esp = 4, mostBytes = 4 * 33;
        Instruction instruction = snippet.Instructions().FirstOrDefault(one => one.IP32 == expected.After.Eip);
        bool wholeState = instruction.Mnemonic is Mnemonic.Fxsave or Mnemonic.Fxrstor; // may wrap around at 64 KiB
        switch (instruction.Mnemonic)
        {
            case Mnemonic.Popa or Mnemonic.Popad:
                for (int i = 0; i < 8; i++)
                {
                    if (i != esp)
                        actual.After.Registers[i] = expected.After.Registers[i];
                }

                break;
            case Mnemonic.Fstp or Mnemonic.Fbstp when instruction.MemorySize.GetSize() == 10:
            case Mnemonic.Maskmovq or Mnemonic.Maskmovdqu or Mnemonic.Fnstenv or Mnemonic.Fnsave or Mnemonic.Fxsave or Mnemonic.Fldenv or Mnemonic.Frstor or Mnemonic.Fxrstor:
                // Nor is the order of the parts anyone's business: either may be the first that faults.
                if (actual.Vector == PageFault && (wholeState || expected.FaultAddress - actual.FaultAddress + SnippetState.FxBytes < 2 * SnippetState.FxBytes))
                {
                    actual.FaultAddress = expected.FaultAddress;
                    actual.ErrorCode = expected.ErrorCode;
                }

                for (uint linear = expected.FaultAddress - SnippetState.FxBytes; linear != expected.FaultAddress + SnippetState.FxBytes; linear++)
                {
                    int at = Layout.ImageOffset(linear);
                    if (at >= 0)
                        actual.Memory[at] = expected.Memory[at];
                }

                break;
            case Mnemonic.Pusha or Mnemonic.Pushad or Mnemonic.Enter:
                for (uint linear = expected.After.Registers[esp] - mostBytes; linear != expected.After.Registers[esp]; linear++)
                {
                    int at = Layout.ImageOffset(linear);
                    if (at >= 0)
                        actual.Memory[at] = expected.Memory[at];
                }

                break;
        }
    }

    /// <summary>
    /// An MMX instruction whose operand faults may have turned the x87 unit to MMX already, or not. Makes the other outcome agree
    /// in that; the registers are the same ones seen from another top.
    /// </summary>
    private static void ForgetMmxTransition(Snippet snippet, Outcome expected, Outcome actual)
    {
        if (!snippet.FloatingPoint || expected.Vector is not (13 or PageFault))
            return;
        Instruction instruction = snippet.Instructions().FirstOrDefault(one => one.IP32 == expected.After.Eip);
        if (!instruction.Op0Register.IsMM() && !instruction.Op1Register.IsMM())
            return;
        ref readonly FxImage from = ref MemoryMarshal.AsRef<FxImage>(expected.After.Fx.AsSpan());
        ref FxImage to = ref MemoryMarshal.AsRef<FxImage>(actual.After.Fx.AsSpan());
        int top = to.Top;
        to.Status = (ushort)((to.Status & ~FxImage.TopMask) | (from.Status & FxImage.TopMask));
        to.KeepPlaces(top);
        to.Tags = from.Tags;
    }

    /// <summary>
    /// With overflow or underflow unmasked, whether it is inexact as well is asked of a result with a wider exponent, which the
    /// stub that runs masked never sees.
    /// </summary>
    private static void ForgetPrecision(Outcome expected, Outcome actual)
    {
        const uint precision = 0x20, overflow = 0x08;
        if (expected.Vector != SimdException)
            return;
        uint mxcsr = MemoryMarshal.AsRef<FxImage>(expected.After.Fx.AsSpan()).Mxcsr;
        if ((mxcsr & ~(mxcsr >> 7) & (overflow | FxImage.Underflow)) == 0)
            return;
        ref FxImage to = ref MemoryMarshal.AsRef<FxImage>(actual.After.Fx.AsSpan());
        to.Mxcsr = (to.Mxcsr & ~precision) | (mxcsr & precision);
    }

    private static uint FlagMask(Snippet snippet, Outcome expected)
    {
        uint undefined = expected.Vector switch
        {
            Outcome.NoVector => snippet.UndefinedFlags,
            0 => EFlags.Arithmetic, // a division that does not come off
            _ => 0,
        };
        return CheckedFlags & ~undefined;
    }

    private static bool SameMemory(byte[] expected, byte[] actual, HashSet<int> ignored)
    {
        if (expected.AsSpan().SequenceEqual(actual))
            return true;
        if (ignored.Count == 0)
            return false;
        for (int i = 0; i < expected.Length; i++)
        {
            if (expected[i] != actual[i] && !ignored.Contains(i))
                return false;
        }

        return true;
    }

    // The pointers to the last instruction differ from host to host; the registers' padding is not stored.
    private static string? FxDifference(byte[] expected, byte[] actual)
    {
        if (!Same(0, 5))
            return "fcw, fsw or ftw";
        if (!Same(24, 4))
            return "mxcsr";
        for (int i = 0; i < 8; i++)
        {
            if (!Same(32 + (16 * i), 10))
                return $"st({i})";
        }

        for (int i = 0; i < 8; i++)
        {
            if (!Same(160 + (16 * i), 16))
                return $"xmm{i}";
        }

        return null;
        bool Same(int at, int length) => expected.AsSpan(at, length).SequenceEqual(actual.AsSpan(at, length));
    }

    private static void Line(StringBuilder text, string name, uint before, uint expected, uint actual, uint mask = uint.MaxValue) =>
        text.AppendLine($"{name,8}   {before:x8}   {expected:x8}   {actual:x8}{(((expected ^ actual) & mask) != 0 ? "  <--" : "")}");

    private static void DescribeMemory(StringBuilder text, byte[] before, byte[] expected, byte[] actual)
    {
        const int most = 16;
        int shown = 0;
        for (int i = 0; i < expected.Length && shown < most; i++)
        {
            if (before[i] == expected[i] && before[i] == actual[i])
                continue;
            uint linear = i < Layout.DataBytes ? Layout.Data + (uint)i : Layout.Stack + (uint)i - Layout.DataBytes;
            text.AppendLine($"  [{linear:x8}]   {before[i]:x2}   {expected[i]:x2}   {actual[i]:x2}{(expected[i] != actual[i] ? "  <--" : "")}");
            shown++;
        }
    }
}
