// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Tests.Differential;

/// <summary>
/// The integer instruction set of a 686 at ring 3, as opcodes (Intel SDM vol. 2, appendix A). Not here, since the outcome
/// depends on more than the snippet: far transfers and segment registers (selectors differ), CPUID and RDTSC, descriptor table
/// stores (UMIP), system calls. A line is the opcode and: <c>/r</c> or <c>/n</c> for ModRM, <c>+r</c> a register in the
/// opcode, immediates <c>ib iw iz</c>, <c>rel</c> a branch, <c>moffs</c>, <c>m</c>/<c>reg</c> only memory/registers, <c>lock</c>
/// takes LOCK, <c>rep</c> a string instruction, <c>no66</c> no operand size prefix (undefined or leaving the snippet).
/// </summary>
internal static class IntegerTable
{
    private const string Lines = """
        27
        2F
        37
        3F
        40 +r
        48 +r
        50 +r
        58 +r
        60
        61
        62 /r m
        68 iz
        69 /r iz
        6A ib
        6B /r ib
        84 /r
        85 /r
        86 /r lock
        87 /r lock
        88 /r
        89 /r
        8A /r
        8B /r
        8D /r m
        8D /r m
        8F /0
        90 no66
        91 +r
        98
        99
        9C
        9E
        9F
        A0 moffs
        A1 moffs
        A2 moffs
        A3 moffs
        A4 rep
        A5 rep
        A6 rep
        A7 rep
        A8 ib
        A9 iz
        AA rep
        AB rep
        AC rep
        AD rep
        AE rep
        AF rep
        B0 +r ib
        B8 +r iz
        C6 /0 ib
        C7 /0 iz
        C8 iw ib
        C9
        CC
        CE
        D4 ib
        D5 ib
        D6
        D7
        F5
        F8
        F9
        FC
        FD
        F6 /0 ib
        F7 /0 iz
        F6 /2 lock
        F7 /2 lock
        F6 /3 lock
        F7 /3 lock
        F6 /4
        F7 /4
        F6 /5
        F7 /5
        F6 /6
        F7 /6
        F6 /7
        F7 /7
        FE /0 lock
        FE /1 lock
        FF /0 lock
        FF /1 lock
        FF /6
        0F 0B
        0F B9 /r
        0F 1F /0
        0F A0 no66
        0F A3 /r
        0F AB /r lock
        0F B3 /r lock
        0F BB /r lock
        0F BA /4 ib
        0F BA /5 ib lock
        0F BA /6 ib lock
        0F BA /7 ib lock
        0F A4 /r ib
        0F A5 /r
        0F AC /r ib
        0F AD /r
        0F AF /r
        0F B0 /r lock
        0F B1 /r lock
        0F B6 /r
        0F B7 /r
        0F BE /r
        0F BF /r
        0F BC /r
        0F BD /r
        0F C0 /r lock
        0F C1 /r lock
        0F C3 /r m no66
        0F C7 /1 m lock
        0F C8 +r no66
        70 rel
        71 rel
        72 rel
        73 rel
        74 rel
        75 rel
        76 rel
        77 rel
        78 rel
        79 rel
        7A rel
        7B rel
        7C rel
        7D rel
        7E rel
        7F rel
        E0 rel
        E1 rel
        E2 rel
        E3 rel
        EB rel
        E4 ib
        E5 ib
        E6 ib
        E7 ib
        EC
        ED
        EE
        EF
        6C
        6D
        6E
        6F
        F4
        FA
        FB
        0F 06
        0F 08
        0F 09
        0F 20 /0 reg no66
        0F 22 /3 reg no66
        0F 23 /7 reg no66
        0F 30
        0F 32
        0F 01 /2 m
        0F 01 /3 m
        0F 01 /6
        0F 01 /7 m
        0F 18 /0 m
        0F 18 /3 m
        0F AE /7 m no66
        """;

    public static IReadOnlyList<InstructionForm> Forms { get; } = [.. All().Select(line => new InstructionForm(line))];

    private static IEnumerable<string> All()
    {
        foreach (string line in Lines.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
            yield return line;

        // The regular parts. CMP (7) takes no LOCK.
        for (int alu = 0; alu < 8; alu++)
        {
            string locked = alu == 7 ? "" : " lock";
            yield return $"{(alu * 8) + 0:X2} /r{locked}";
            yield return $"{(alu * 8) + 1:X2} /r{locked}";
            yield return $"{(alu * 8) + 2:X2} /r";
            yield return $"{(alu * 8) + 3:X2} /r";
            yield return $"{(alu * 8) + 4:X2} ib";
            yield return $"{(alu * 8) + 5:X2} iz";
            yield return $"80 /{alu} ib{locked}";
            yield return $"81 /{alu} iz{locked}";
            yield return $"82 /{alu} ib{locked}";
            yield return $"83 /{alu} ib{locked}";
            yield return $"C0 /{alu} ib";
            yield return $"C1 /{alu} ib";
            yield return $"D0 /{alu}";
            yield return $"D1 /{alu}";
            yield return $"D2 /{alu}";
            yield return $"D3 /{alu}";
        }

        for (int condition = 0; condition < 16; condition++)
        {
            yield return $"0F {0x40 + condition:X2} /r";
            yield return $"0F {0x80 + condition:X2} rel no66";
            yield return $"0F {0x90 + condition:X2} /0";
        }
    }
}
