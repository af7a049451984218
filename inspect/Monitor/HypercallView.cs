// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Debugging;
using Lguest.Inspect.Symbols;

namespace Lguest.Inspect.Monitor;

/// <summary>The guest's hypercalls, counted, and the last of them.</summary>
internal static class HypercallView
{
    public static string Show(IDebugPort guest, SymbolTable symbols, int last)
    {
        IGuestStatistics statistics = guest.Statistics;
        StringBuilder text = new("     direct        ring  hypercall\n");
        foreach (Hypercall call in HypercallTable.All)
        {
            long direct = statistics.Hypercalls[(int)call.Kind];
            long ring = statistics.RingHypercalls[(int)call.Kind];
            if (direct + ring > 0)
                text.Append($"{direct,11} {ring,11}  {call.Name}\n");
        }

        if (last == 0)
            return text.ToString();
        IReadOnlyList<PastHypercall> past = statistics.Last(last);
        text.Append($"the last {past.Count} of {statistics.HypercallTotal}:\n");
        foreach (PastHypercall call in past)
        {
            GuestCall entry = call.Call;
            text.Append($"{call.Sequence,9} {(call.IsAsync ? "ring  " : "direct")} {HypercallTable.Of(call.Kind).Describe(in entry)} at {symbols.Format(call.Eip)}\n");
        }

        return text.ToString();
    }
}
