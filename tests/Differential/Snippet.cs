// SPDX-License-Identifier: GPL-2.0-or-later
using Iced.Intel;
using Lguest.Engine.Check;

namespace Lguest.Tests.Differential;

/// <summary>Registers before or after a snippet.</summary>
internal sealed class SnippetState
{
    public const int FxBytes = 512;

    public uint[] Registers { get; } = new uint[8];

    public uint Eip { get; set; }

    public uint Flags { get; set; }

    /// <summary>FXSAVE image.</summary>
    public byte[] Fx { get; } = new byte[FxBytes];

    public void CopyFrom(SnippetState other)
    {
        other.Registers.CopyTo(Registers, 0);
        other.Fx.CopyTo(Fx, 0);
        Eip = other.Eip;
        Flags = other.Flags;
    }
}

/// <summary>Code to be run both ways, and where it starts from.</summary>
internal sealed class Snippet
{
    /// <summary>Seed that made it.</summary>
    public ulong Seed { get; set; }

    /// <summary>Bytes of the code, without terminator.</summary>
    public byte[] Code { get; set; } = [];

    /// <summary>Offset of the code in its page.</summary>
    public uint Offset { get; set; }

    /// <summary>Whether x87 and SSE state is loaded and compared.</summary>
    public bool FloatingPoint { get; set; }

    /// <summary>Registers to start with. EIP is <see cref="Start"/>.</summary>
    public SnippetState Before { get; } = new();

    /// <summary>Data and stack to start with: <see cref="Layout.ImageBytes"/>.</summary>
    public byte[] Memory { get; } = new byte[Layout.ImageBytes];

    /// <summary>Flags that need not agree at the regular end.</summary>
    public uint UndefinedFlags { get; set; }

    /// <summary>Where in memory the processor may differ: its own idea of the last x87 instruction's place.</summary>
    public HashSet<int> IgnoredMemory { get; } = [];

    public uint Start => Layout.Code + Offset;

    /// <summary>EIP at the regular end.</summary>
    public uint End => Start + (uint)Code.Length;

    /// <summary>Makes the code page: all of it, since a snippet may come to read what is beside its code.</summary>
    public void WriteCode(Span<byte> page)
    {
        page.Clear();
        Code.CopyTo(page[(int)Offset..]);
        Layout.WriteTerminator(page[((int)Offset + Code.Length)..]);
    }

    public IEnumerable<Instruction> Instructions()
    {
        Decoder decoder = Decoder.Create(32, Code, Start);
        while (decoder.IP < End)
            yield return decoder.Decode();
    }
}

/// <summary>What became of a snippet.</summary>
internal sealed class Outcome
{
    /// <summary>Reached its end.</summary>
    public const int NoVector = -1;

    public SnippetState After { get; } = new();

    public byte[] Memory { get; } = new byte[Layout.ImageBytes];

    /// <summary>Exception vector, or <see cref="NoVector"/>.</summary>
    public int Vector { get; set; }

    public uint ErrorCode { get; set; }

    /// <summary>CR2; only for page faults.</summary>
    public uint FaultAddress { get; set; }
}

/// <summary>Runs snippets: this processor, or what claims to be as good.</summary>
internal interface ISnippetRunner
{
    /// <summary>Runs a snippet from its state and memory.</summary>
    /// <param name="snippet">What to run.</param>
    /// <param name="outcome">Everything afterwards, overwritten.</param>
    void Run(Snippet snippet, Outcome outcome);
}
