// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using Lguest.GuestAbi.Debugging;
using Lguest.GuestAbi.Processor;
using Lguest.Inspect.Monitor;
using Lguest.Inspect.Symbols;

namespace Lguest.Inspect.Reports;

/// <summary>What a dead guest leaves behind, for whoever has to find out why: what an oops would say, and more.</summary>
public static class DeathReport
{
    private const int CodeBefore = 8;
    private const int CodeAfter = 6;
    private const int StackWords = 24;
    private const int SearchedWords = 256;
    private const int MostFrames = 32;
    private const uint LongestWalkBack = 0x1000;

    private static readonly (uint Bit, string Name)[] FlagNames =
    [
        (EFlags.Carry, "CF"), (EFlags.Parity, "PF"), (EFlags.Adjust, "AF"), (EFlags.Zero, "ZF"), (EFlags.Sign, "SF"),
        (EFlags.Trap, "TF"), (EFlags.Direction, "DF"), (EFlags.Overflow, "OF"), (EFlags.NestedTask, "NT"), (EFlags.AlignmentCheck, "AC"),
    ];

    /// <summary>The whole report: lines, each with its end. Anything in the guest may be nonsense; that is what is reported.</summary>
    /// <param name="guest">The guest, dead, its memory still there.</param>
    /// <param name="symbols">Names.</param>
    public static string Of(IDebugPort guest, SymbolTable symbols)
    {
        StringBuilder text = new();
        Registers(text, guest, symbols);
        Code(text, guest, symbols);
        Stack(text, guest, symbols);
        Calls(text, guest, symbols);
        if (FaultAddress(guest) is { } address)
            text.Append("page walk of the faulting address: ").Append(PageTableText.ShowWalk(guest, address));
        return text.ToString();
    }

    private static void Registers(StringBuilder text, IDebugPort guest, SymbolTable symbols)
    {
        IRegisters registers = guest.Registers;
        text.Append($"  eip {symbols.Format(registers.Eip)}  ring {registers.Cpl}{(registers.Instructions is { } count ? $", after {count} instructions" : string.Empty)}\n ");
        foreach (GeneralRegister register in Enum.GetValues<GeneralRegister>())
        {
            text.Append($" {register.ToString().ToLowerInvariant()} {registers[register]:x8}");
            if (register == GeneralRegister.Ebx)
                text.Append("\n ");
        }

        uint flags = registers.Flags;
        text.Append($"\n  eflags {flags:x8} [{string.Join(' ', FlagNames.Where(f => (flags & f.Bit) != 0).Select(f => f.Name))}]");
        if (guest.Data is { } data)
            text.Append($"  irq_enabled {(data.TakesInterrupts ? "on" : "off")}  cr2 {data.Cr2:x8}");
        text.Append($"  page directory {guest.PageDirectory:x8}\n ");
        foreach (SegmentName segment in Enum.GetValues<SegmentName>())
        {
            SegmentRegister register = registers.Segment(segment);
            text.Append($" {segment.ToString().ToLowerInvariant()} {register.Selector:x4}{(register.Base != 0 ? $" (base {register.Base:x8})" : string.Empty)}");
        }

        text.Append('\n');
    }

    private static void Code(StringBuilder text, IDebugPort guest, SymbolTable symbols)
    {
        uint eip = guest.Registers.Eip;
        uint codeBase = guest.Registers.Segment(SegmentName.Cs).Base;

        // Backwards nobody can disassemble: it is done forwards from the start of the function, if that is known.
        uint start = symbols.TryFind(eip, out Symbol function) && eip - function.Address <= LongestWalkBack ? function.Address : eip;
        byte[] shown = ReadAt(guest, codeBase + start, (int)(eip - start) + (CodeAfter * 15)); // Read once
        if (shown.Length <= eip - start)
        {
            text.Append($"code: nothing is mapped at {eip:x8}\n");
            return;
        }

        List<(uint Eip, int Length, string Text)> lines = [.. new Disassembler(symbols).All(shown, start, Disassembler.Is32(guest))];
        int here = lines.FindIndex(line => line.Eip == eip);
        if (here < 0)
        {
            // The function did not come out at this place; then the code from here on, at least.
            shown = shown[(int)(eip - start)..];
            start = eip;
            lines = [.. new Disassembler(symbols).All(shown, eip, Disassembler.Is32(guest))];
            here = 0;
        }

        text.Append("code:\n");
        for (int i = Math.Max(0, here - CodeBefore); i < Math.Min(lines.Count, here + CodeAfter); i++)
        {
            (uint at, int length, string instruction) = lines[i];
            string hex = at - start + (uint)length <= shown.Length ? Convert.ToHexStringLower(shown, (int)(at - start), length) : string.Empty;
            text.Append($"  {(at == eip ? "=>" : "  ")} {at:x8} {hex,-22} {instruction}\n");
        }
    }

    private static byte[] ReadAt(IDebugPort guest, uint linear, int length)
    {
        byte[] bytes = new byte[length];
        return bytes[..guest.ReadLinear(linear, bytes)];
    }

    private static void Stack(StringBuilder text, IDebugPort guest, SymbolTable symbols)
    {
        uint esp = guest.Registers[GeneralRegister.Esp];
        text.Append("stack:\n");
        for (int i = 0; i < StackWords; i++)
        {
            uint at = guest.Registers.Segment(SegmentName.Ss).Base + esp + (uint)(i * sizeof(uint));
            if (guest.ReadLinearWord(at) is not { } word)
            {
                text.Append($"  {at:x8} not mapped\n");
                break;
            }

            // Only what may be an address of the kernel is worth a name.
            string? name = word >= guest.PageOffset ? symbols.Describe(word) : null;
            text.Append($"  {at:x8} {word:x8}{(name == null ? string.Empty : $" <{name}>")}\n");
        }
    }

    private static void Calls(StringBuilder text, IDebugPort guest, SymbolTable symbols)
    {
        List<uint> frames = Backtrace.Frames(guest, symbols, MostFrames);
        text.Append("backtrace by frame pointers:\n");
        for (int i = 0; i < frames.Count; i++)
            text.Append($"  #{i} {(i == 0 ? symbols.Format(frames[i]) : symbols.FormatReturn(frames[i]))}\n");
        if (frames.Count > 1)
            return;
        List<uint> candidates = Backtrace.Candidates(guest, symbols, SearchedWords);
        if (candidates.Count == 0)
            return;
        text.Append("no frame pointers; on the stack, and perhaps return addresses:\n");
        foreach (uint address in candidates.Take(MostFrames))
            text.Append($"   ? {symbols.FormatReturn(address)}\n");
    }

    /// <summary>The address of a page fault that nobody handled, out of the reason.</summary>
    private static uint? FaultAddress(IDebugPort guest)
    {
        const string unhandled = "unhandled trap 14 at ";
        string reason = guest.DeathReason ?? string.Empty;
        int open = reason.LastIndexOf('(');
        if (!reason.StartsWith(unhandled, StringComparison.Ordinal) || open < 0)
            return null;
        string number = reason[(open + 1)..].TrimEnd(')');
        return uint.TryParse(number.StartsWith("0x", StringComparison.Ordinal) ? number[2..] : number, System.Globalization.NumberStyles.AllowHexSpecifier, null, out uint address) ? address : null;
    }
}
