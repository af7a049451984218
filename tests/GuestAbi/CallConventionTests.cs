// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Memory;
using Lguest.GuestAbi;

namespace Lguest.Tests.GuestAbi;

/// <summary>How calls are handed over, in registers and in the ring: as the document has it, and as words.</summary>
public sealed class CallConventionTests
{
    /// <summary>A convention, its column in docs/abi.md §3.1, and what §3.4 says of its slots.</summary>
    private static readonly Dictionary<string, (CallConvention Convention, string Registers, string Slots)> s_conventions = new()
    {
        ["2.6.23"] = (CallConvention.Linux2623, "2007-02 – 2.6.29", "number, a1, a2, a3"),
        ["2.6.24"] = (CallConvention.Linux2624, "2007-02 – 2.6.29", "number, **a2, a3, a1**"),
        ["2.6.30"] = (CallConvention.Linux2630, "2.6.30", "number, a1, a2, a3"),
        ["2.6.31"] = (CallConvention.Linux2631, "2.6.31 – 2.6.33", "number, a1, a2, a3, a4"),
    };

    public static TheoryData<string> Conventions => [.. s_conventions.Keys];

    [Theory]
    [MemberData(nameof(Conventions))]
    public void TheDocumentHasTheSameOrders(string name)
    {
        (CallConvention convention, string column, string slots) = s_conventions[name];
        string[][] rows = AbiDocument.Rows("3.1");
        string registers = rows.Single(static row => row[0] == "number, then arguments")[Array.IndexOf(rows[0], column)];
        Assert.Equal(registers, $"eax; {string.Join(", ", convention.Registers.Select(static register => register.ToString().ToLowerInvariant()))}");
        Assert.Contains(AbiDocument.Rows("3.4").Single(static row => row[0] == "words")[1..], cell => cell.Contains(slots, StringComparison.Ordinal));
        string[] words = slots.Replace("*", string.Empty, StringComparison.Ordinal).Split(", ");
        Assert.Equal(convention.SlotWords, words.Length);
        Assert.Equal(convention.Places, Enumerable.Range(1, words.Length - 1).Select(argument => Array.IndexOf(words, $"a{argument}")));
    }

    [Theory]
    [MemberData(nameof(Conventions))]
    public void ArgumentsComeOutInTheirOrder(string name)
    {
        CallConvention convention = s_conventions[name].Convention;
        bool four = convention.Registers.Length == 4;
        GuestCall expected = new() { Number = 14, First = 0x11, Second = 0x22, Third = 0x33, Fourth = four ? 0x44u : 0 };

        uint[] registers = [.. Enumerable.Repeat(0xDEADu, 8)];
        registers[0] = expected.Number;
        uint[] slot = new uint[convention.SlotWords];
        slot[0] = expected.Number;
        for (int i = 0; i < convention.Registers.Length; i++)
        {
            registers[(int)convention.Registers[i]] = expected.Argument(i);
            slot[convention.Places[i]] = expected.Argument(i);
        }

        Assert.Equal(expected, convention.InRegisters(registers));

        using MappedGuestMemory memory = MappedGuestMemory.Create([new MemoryRange(0, 0x4000)]);
        GuestDataLayout layout = four ? GuestDataLayout.Linux41 : GuestDataLayout.Linux2623;
        GuestData data = new(memory, 0x1000, layout);
        for (int i = 0; i < slot.Length; i++)
            memory.WriteUInt32(0x1000 + layout.Ring + (uint)((63 * convention.SlotWords * 4) + (i * 4)), slot[i]);
        Assert.Equal(expected, data.CallIn(63, convention));
        Assert.Equal(layout.ReserveMem, layout.Ring + (64 * (uint)convention.SlotWords * 4));
    }
}
