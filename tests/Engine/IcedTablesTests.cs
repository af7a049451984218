// SPDX-License-Identifier: GPL-2.0-or-later
using Iced.Intel;
using Lguest.Engine.Instructions;

namespace Lguest.Tests.EngineParts;

/// <summary>The tables that are made beside a launcher's start.</summary>
public sealed class IcedTablesTests
{
    [Fact]
    public void TheThreadEndsAndTheTablesWork()
    {
        Thread? thread = IcedTables.MakeBeside(encoder: true);
        Assert.Equal(Environment.ProcessorCount > 1, thread != null);
        Assert.True(thread?.Join(TimeSpan.FromSeconds(30)) ?? true);
        Decoder decoder = Decoder.Create(32, new byte[] { 0x90 });
        Assert.Equal(Mnemonic.Nop, decoder.Decode().Mnemonic);
        using MemoryStream code = new();
        Encoder.Create(64, new StreamCodeWriter(code)).Encode(Instruction.Create(Code.Nopd), 0);
        Assert.Equal("90", Convert.ToHexString(code.ToArray()));
    }
}
