// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Debugging;
using Lguest.GuestAbi.Processor;
using Lguest.Inspect.Symbols;

namespace Lguest.Inspect.Monitor;

/// <summary>The guest's descriptor tables in words.</summary>
internal static class DescriptorView
{
    private const ulong Unset = 0x0000_2100_0000_0000;

    public static string ShowGdt(IDebugPort guest)
    {
        StringBuilder text = new("index selector descriptor         base     limit    what\n");
        for (int i = 0; i < Selectors.GdtEntries; i++)
        {
            ulong descriptor = guest.Descriptors[i];

            // What LOAD_GDT leaves of an entry that the guest has not set: a DPL of 1 and the accessed bit, which are the host's.
            if ((descriptor & ~Unset) == 0)
                continue;
            uint attributes = SegmentLoad.Attributes(descriptor);
            uint selector = ((uint)i << 3) | SegmentLoad.Dpl(attributes);
            text.Append($"{i,5}     {selector:x4} {descriptor:x16} {SegmentLoad.Base(descriptor):x8} {SegmentLoad.Limit(descriptor):x8} {Describe(attributes)}{(Selectors.IsIgnored(i) ? " (the host's)" : string.Empty)}\n");
        }

        return text.ToString();
    }

    public static string ShowIdt(IDebugPort guest, SymbolTable symbols)
    {
        StringBuilder text = new();
        for (uint vector = 0; vector < 256; vector++)
        {
            Gate gate = guest.GateOf(vector);
            if (gate.Present)
                text.Append($"{vector,3} {Vectors.NameOf(vector),-20} {(gate.IsInterruptGate ? "interrupt gate" : "trap gate     ")} from ring {gate.Dpl}: {symbols.Format(gate.Handler)}\n");
        }

        return text.Length == 0 ? "no gates are set\n" : text.ToString();
    }

    private static string Describe(uint attributes)
    {
        StringBuilder text = new();
        if ((attributes & SegmentLoad.PresentBit) == 0)
            text.Append("not present, ");
        text.Append($"ring {SegmentLoad.Dpl(attributes)} ");
        if ((attributes & SegmentLoad.NonSystemBit) == 0)
            return text.Append($"system segment type {attributes & 0xF}").ToString();
        bool code = (attributes & SegmentLoad.CodeBit) != 0;
        text.Append((attributes & SegmentLoad.BigBit) != 0 ? "32-bit " : "16-bit ").Append(code ? "code" : "data");
        if ((attributes & SegmentLoad.ReadableOrWritableBit) != 0)
            text.Append(code ? ", readable" : ", writable");
        if ((attributes & SegmentLoad.ConformingOrExpandDownBit) != 0)
            text.Append(code ? ", conforming" : ", expands down");
        return text.ToString();
    }
}
