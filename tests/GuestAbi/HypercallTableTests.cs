// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Text.RegularExpressions;
using Lguest.GuestAbi;
using Lguest.Tests.Support;

namespace Lguest.Tests.GuestAbi;

/// <summary>The one table of hypercalls, and whoever cannot read it but says the same: the document and our own guests' header.</summary>
public sealed partial class HypercallTableTests
{
    // In two pieces, since it is no citation.
    private const string Abi = "docs/abi" + ".md";

    [Fact]
    public void TheLinesAreInTheirKindsOrder()
    {
        Assert.Equal(Enum.GetValues<HypercallKind>(), HypercallTable.All.ToArray().Select(static call => call.Kind));
        Assert.All(HypercallTable.All.ToArray(), static call => Assert.InRange(call.Arguments.Length, 0, 3));
    }

    [Fact]
    public void NoTwoCallsOfAGenerationShareANumber()
    {
        foreach (Generation generation in Generation.All)
        {
            uint?[] numbers = [.. HypercallTable.All.ToArray().Select(call => generation.Calls.NumberOf(call.Kind)).Where(static number => number is not null)];
            Assert.Equal(numbers.Length, numbers.Distinct().Count());
        }
    }

    [Fact]
    public void ACallIsDescribedWithItsArguments()
    {
        GuestCall call = new() { Number = 14, First = 0x1000, Second = 0xC000_0000, Third = 0x67 };
        Assert.Equal("SET_PTE(directory=0x1000, address=0xc0000000, entry=0x67)", HypercallTable.Of(HypercallKind.SetPte).Describe(in call));
        Assert.Equal("HALT()", HypercallTable.Of(HypercallKind.Halt).Describe(in call));
        Assert.Equal("hypercall 14(edx=0x1000, ebx=0xc0000000, ecx=0x67)", HypercallTable.Of(HypercallKind.None).Describe(in call));
    }

    /// <summary>docs/abi.md §3.2: the same names and numbers, and "physical" for the arguments that are.</summary>
    [Fact]
    public void TheDocumentHasTheSameCalls()
    {
        string[] rows = [.. Document("### 3.2", "### 3.3").Where(static line => line.StartsWith("| ", StringComparison.Ordinal))];
        string[] heads = Cells(rows[0]);
        (string Head, Generation Generation)[] columns =
        [
            ("2007-02", Generation.Seed200702),
            ("2.6.23", Generation.Linux2623),
            ("2.6.24", Generation.Linux2624),
            ("2.6.25 – 2.6.29", Generation.Linux2625),
            ("2.6.30", Generation.Linux2630),
            ("2.6.31 – 3.19", Generation.Linux31),
            ("4.0 – 4.9", Generation.Linux41),
            ("4.10 – 4.13", Generation.Linux410),
        ];
        int[] places = [.. columns.Select(column => Array.IndexOf(heads, column.Head))];
        Dictionary<string, string[]> written = rows.Skip(1).Select(Cells).Where(cells => places.Any(place => cells[place] != "–"))
            .ToDictionary(static cells => cells[0]);
        Hypercall[] calls = HypercallTable.All.ToArray()[1..];
        Assert.Equal(calls.Select(static call => call.Name).Order(StringComparer.Ordinal), written.Keys.Order(StringComparer.Ordinal));
        foreach (Hypercall call in calls)
        {
            string[] cells = written[call.Name];
            Assert.Equal(
                columns.Select(column => (call.Name, column.Head, Number(column.Generation.Calls.NumberOf(call.Kind)))),
                columns.Select((column, i) => (call.Name, column.Head, cells[places[i]])));
            bool isPhysical = call.Arguments is [{ Kind: ArgumentKind.Physical, Name: not "key" }, ..];
            Assert.Equal((call.Name, isPhysical), (call.Name, cells[1].StartsWith("physical", StringComparison.Ordinal)));
        }

        static string Number(uint? number) => number?.ToString(CultureInfo.InvariantCulture) ?? "–";
        static string[] Cells(string row) => [.. CellEnd().Split(row)[1..^1].Select(static cell => cell.Trim())];
    }

    /// <summary>docs/abi.md §3.4: which calls kernels leave in the ring.</summary>
    [Fact]
    public void TheDocumentHasTheSameCallsInTheRing()
    {
        string section = string.Join(' ', Document("### 3.4", "### 3.5"));
        string sentence = Queued().Match(section).Groups[1].Value;
        Assert.Equal(
            HypercallTable.All.ToArray().Where(static call => call.MayStandInRing).Select(static call => call.Name).Order(StringComparer.Ordinal),
            CallName().Matches(sentence).Select(static match => match.Value).Order(StringComparer.Ordinal));
    }

    /// <summary>guest/lib/lguest.h: every call of each generation, and no other.</summary>
    [Fact]
    public void OurGuestsHaveTheSameNumbers()
    {
        string header = File.ReadAllText(Path.Combine(Needs.Root, "guest/lib/lguest.h"));
        string[] parts = header.Split("#ifdef GENERATION_2007_02", 2);
        string[] generations = parts[1].Split("#endif", 2)[0].Split("#else", 2);
        Check(Generation.Seed200702, parts[0] + generations[0]);
        Check(Generation.Linux2623, parts[0] + generations[1]);

        static void Check(Generation generation, string defines) => Assert.Equal(
            HypercallTable.All.ToArray().Where(call => generation.Calls.NumberOf(call.Kind) is not null).ToDictionary(static call => call.Name, call => generation.Calls.NumberOf(call.Kind)!.Value),
            Define().Matches(defines).ToDictionary(static match => match.Groups[1].Value, static match => uint.Parse(match.Groups[2].Value, CultureInfo.InvariantCulture)));
    }

    private static IEnumerable<string> Document(string from, string to) => File.ReadLines(Path.Combine(Needs.Root, Abi))
        .SkipWhile(line => !line.StartsWith(from, StringComparison.Ordinal)).TakeWhile(line => !line.StartsWith(to, StringComparison.Ordinal));

    [GeneratedRegex(@"(?<!\\)\|")]
    private static partial Regex CellEnd();

    [GeneratedRegex(@"Queued are, while the guest is in a lazy mode: ([^.]*)\.")]
    private static partial Regex Queued();

    [GeneratedRegex(@"[A-Z]+(_[A-Z]+)*\b")]
    private static partial Regex CallName();

    [GeneratedRegex(@"#define LHCALL_(\w+)\s+(\d+)\n")]
    private static partial Regex Define();
}
