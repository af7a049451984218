// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using Lguest.GuestAbi.Processor;

namespace Lguest.GuestAbi.Generations;

/// <summary>How the number and the arguments of a call are handed over: in registers, or as words of a slot of the ring (abi.md §3.1, §3.4).</summary>
public sealed record CallConvention
{
    /// <summary>Arguments that a call has at most, in any generation.</summary>
    public const int MostArguments = 4;

    private readonly GeneralRegister[] _registers;
    private readonly int[] _places;

    /// <param name="registers">Where the arguments are, in their order.</param>
    /// <param name="places">Which word of a ring's slot each of them is; the first word is the number.</param>
    private CallConvention(GeneralRegister[] registers, int[] places)
    {
        _registers = registers;
        _places = places;
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
    public ReadOnlySpan<GeneralRegister> Registers => _registers;

    /// <summary>Which word of a ring's slot each argument is, in their order.</summary>
    public ReadOnlySpan<int> Places => _places;

    /// <summary>Bytes of a slot of the ring.</summary>
    public int SlotBytes => (1 + _places.Length) * sizeof(uint);

    /// <summary>The call whose arguments are in a processor's registers.</summary>
    /// <param name="registers">All eight.</param>
    public GuestCall InRegisters(ReadOnlySpan<uint> registers) => new()
    {
        Number = registers[(int)GeneralRegister.Eax],
        First = registers[(int)_registers[0]],
        Second = registers[(int)_registers[1]],
        Third = registers[(int)_registers[2]],
        Fourth = _registers.Length > 3 ? registers[(int)_registers[3]] : 0,
    };

    /// <summary>The call that is in a slot of the ring.</summary>
    /// <param name="slot">A private copy of it: <see cref="SlotBytes"/>.</param>
    public GuestCall InSlot(ReadOnlySpan<byte> slot)
    {
        ReadOnlySpan<uint> words = MemoryMarshal.Cast<byte, uint>(slot);
        return new GuestCall
        {
            Number = words[0],
            First = words[_places[0]],
            Second = words[_places[1]],
            Third = words[_places[2]],
            Fourth = _places.Length > 3 ? words[_places[3]] : 0,
        };
    }
}
