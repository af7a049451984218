// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;

namespace Lguest.Tests.Differential;

/// <summary>How one opcode is written down: everything the generator needs to make instances of it.</summary>
internal sealed class InstructionForm
{
    /// <summary>Reads a line of <see cref="IntegerTable"/>.</summary>
    public InstructionForm(string line)
    {
        Line = line;
        List<byte> opcode = [];
        foreach (string token in line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (token.Length == 2 && byte.TryParse(token, NumberStyles.HexNumber, CultureInfo.InvariantCulture, out byte value))
                opcode.Add(value);
            else
                Apply(token);
        }

        Opcode = [.. opcode];
    }

    private void Apply(string token)
    {
        switch (token)
        {
            case "/r": HasModRm = true; break;
            case "+r": AddsRegister = true; break;
            case "ib": ImmediateBytes += 1; break;
            case "iw": ImmediateBytes += 2; break;
            case "iz": HasWideImmediate = true; break;
            case "rel": IsBranch = true; break;
            case "moffs": IsOffset = true; break;
            case "m": RegisterAllowed = false; break;
            case "reg": MemoryAllowed = false; break;
            case "lock": Lockable = true; break;
            case "rep": Repeatable = true; break;
            case "no66": OperandSizeAllowed = false; break;
            case "16": Prefix = [0x66]; break;
            case "F2" or "F3": throw new FormatException(Line);
            default:
                if (token.Length != 2 || token[0] != '/' || token[1] is < '0' or > '7')
                    throw new FormatException($"'{token}' in '{Line}'");
                HasModRm = true;
                Extension = token[1] - '0';
                break;
        }
    }

    public InstructionForm()
    {
    }

    public string Line { get; init; } = "";

    /// <summary>Prefixes that belong to the opcode.</summary>
    public byte[] Prefix { get; set; } = [];

    public byte[] Opcode { get; init; } = [];

    public bool HasModRm { get; set; }

    /// <summary>The reg field, when it is part of the opcode; else −1.</summary>
    public int Extension { get; set; } = -1;

    /// <summary>The whole second byte, when it is part of the opcode; else −1.</summary>
    public int FixedModRm { get; set; } = -1;

    public bool MemoryAllowed { get; set; } = true;

    public bool RegisterAllowed { get; set; } = true;

    /// <summary>Memory operands are mostly multiples of this.</summary>
    public uint Alignment { get; set; } = 1;

    public bool AddsRegister { get; set; }

    public int ImmediateBytes { get; set; }

    public bool HasWideImmediate { get; private set; }

    public bool IsBranch { get; private set; }

    public bool IsOffset { get; private set; }

    public bool Lockable { get; private set; }

    public bool Repeatable { get; private set; }

    public bool OperandSizeAllowed { get; set; } = true;
}
