// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Tests.Support;

namespace Lguest.Tests.Differential;

/// <summary>The native side of the rig on snippets whose outcome is known.</summary>
[Collection(LowMemory.Name)]
public sealed class RigTests
{
    private readonly Outcome _outcome = new();

    private Outcome Native(byte[] code, Action<Snippet>? prepare = null)
    {
        Snippet snippet = new() { Code = code, Offset = 0x100 };
        snippet.Before.Flags = 0x202;
        snippet.Before.Registers[4] = Layout.Stack + 0x800;
        snippet.Before.Fx[24] = 0x80;
        snippet.Before.Fx[25] = 0x1F;
        snippet.Before.Fx[0] = 0x7F;
        snippet.Before.Fx[1] = 0x03;
        prepare?.Invoke(snippet);
        NativeRunner.Instance.Run(snippet, _outcome);
        return _outcome;
    }

    [NativeFact]
    public void RunsThirtyTwoBitCode()
    {
        Native([0x40, 0x1E, 0x1F], snippet => snippet.Before.Registers[0] = uint.MaxValue); // inc eax: REX in 64-bit code
        Assert.Equal((Outcome.NoVector, 0u), (_outcome.Vector, _outcome.After.Registers[0]));
        Assert.Equal(0x54u, _outcome.After.Flags & 0x8D5);
    }

    [NativeFact]
    public void SeesThePagesOfTheLayout()
    {
        Native([0xC6, 0x05, 0x02, 0x20, 0x01, 0x20, 0x05], snippet => snippet.Memory[2] = 1); // movb $5, Data + 0x2002
        Assert.Equal((14, 7u, Layout.Data + 0x2002), (_outcome.Vector, _outcome.ErrorCode, _outcome.FaultAddress));
        Assert.Equal(Layout.Code + 0x100, _outcome.After.Eip);
        Native([0xC6, 0x05, 0x02, 0x00, 0x01, 0x20, 0x05]);
        Assert.Equal((Outcome.NoVector, 5), (_outcome.Vector, _outcome.Memory[2]));
    }

    [NativeFact]
    public void SurvivesADeadStackPointer()
    {
        Native([0x50], snippet => snippet.Before.Registers[4] = 0x10); // push eax
        Assert.Equal((14, 6u, 0xCu), (_outcome.Vector, _outcome.ErrorCode, _outcome.FaultAddress));
        Assert.Equal(0x10u, _outcome.After.Registers[4]);
    }

    [NativeFact]
    public void TellsEveryKindOfFault()
    {
        Assert.Equal(0, Native([0xF7, 0xF1]).Vector);             // div ecx
        Assert.Equal(3, Native([0xCC]).Vector);                   // int3
        Assert.Equal(6, Native([0x0F, 0x0B]).Vector);             // ud2
        Assert.Equal(13, Native([0xFA]).Vector);                  // cli
        Assert.Equal(16, Native([0x9B], snippet =>
        {
            snippet.Before.Fx[0] = 0x7B;                          // fwait with an unmasked exception pending
            snippet.Before.Fx[2] = 0x84;
            snippet.Before.Fx[3] = 0x80;
        }).Vector);
        Assert.Equal(19, Native([0xF3, 0x0F, 0x5E, 0xC1], snippet => snippet.Before.Fx[24] = 0).Vector); // divss 0 / 0
    }
}
