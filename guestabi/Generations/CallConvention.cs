// SPDX-License-Identifier: GPL-2.0-or-later
using System.Collections.Immutable;
using Lguest.GuestAbi.Processor;

namespace Lguest.GuestAbi.Generations;

/// <summary>
/// How the number and the arguments of a call are handed over: in registers, or as words of a slot of the ring (abi.md §3.1, §3.4). Both are
/// words of which the first is the number: %eax is a processor's first register.
/// </summary>
public sealed class CallConvention
{
    private readonly WordOrder _inRegisters;
    private readonly WordOrder _inSlot;

    /// <param name="registers">Where the arguments are, in their order.</param>
    /// <param name="places">Which word of a ring's slot each of them is; the first word is the number.</param>
    private CallConvention(ImmutableArray<GeneralRegister> registers, ImmutableArray<int> places)
    {
        Registers = registers;
        Places = places;
        SlotWords = 1 + places.Length;
        _inRegisters = new WordOrder([.. registers.Select(static register => (int)register)]);
        _inSlot = new WordOrder(places);
    }

    /// <summary>The seed patch, and Linux 2.6.23.</summary>
    public static CallConvention Linux2623 { get; } = new([GeneralRegister.Edx, GeneralRegister.Ebx, GeneralRegister.Ecx], [1, 2, 3]);

    /// <summary>Linux 2.6.24 to 2.6.29: the ring has them as registers lie in memory.</summary>
    public static CallConvention Linux2624 { get; } = new([GeneralRegister.Edx, GeneralRegister.Ebx, GeneralRegister.Ecx], [3, 1, 2]);

    /// <summary>Linux 2.6.30.</summary>
    public static CallConvention Linux2630 { get; } = new([GeneralRegister.Ebx, GeneralRegister.Ecx, GeneralRegister.Edx], [1, 2, 3]);

    /// <summary>Linux 2.6.31 to 4.13.</summary>
    public static CallConvention Linux2631 { get; } = new([GeneralRegister.Ebx, GeneralRegister.Ecx, GeneralRegister.Edx, GeneralRegister.Esi], [1, 2, 3, 4]);

    /// <summary>Where the arguments are, in their order.</summary>
    public ImmutableArray<GeneralRegister> Registers { get; }

    /// <summary>Which word of a ring's slot each argument is, in their order.</summary>
    public ImmutableArray<int> Places { get; }

    /// <summary>Words of a slot of the ring, 32 bits each.</summary>
    public int SlotWords { get; }

    /// <summary>The call whose arguments are in a processor's registers.</summary>
    /// <param name="registers">All eight.</param>
    public GuestCall InRegisters(ReadOnlySpan<uint> registers) => _inRegisters.Read(registers);

    /// <summary>The call that is in a slot of the ring, each word loaded once.</summary>
    /// <param name="slot">The slot: <see cref="SlotWords"/>.</param>
    public GuestCall InSlot(ReadOnlySpan<uint> slot) => _inSlot.Read(slot);

    /// <summary>Which words are the arguments.</summary>
    private readonly struct WordOrder(ImmutableArray<int> places)
    {
        private readonly int _first = places[0];
        private readonly int _second = places[1];
        private readonly int _third = places[2];
        private readonly int _fourth = places.Length > 3 ? places[3] : -1;

        public GuestCall Read(ReadOnlySpan<uint> words) => new()
        {
            Number = Volatile.Read(in words[0]), // Read once
            First = Volatile.Read(in words[_first]),
            Second = Volatile.Read(in words[_second]),
            Third = Volatile.Read(in words[_third]),
            Fourth = _fourth < 0 ? 0 : Volatile.Read(in words[_fourth]),
        };
    }
}
