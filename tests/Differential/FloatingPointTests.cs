// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Tests.Support;
using Xunit.Abstractions;

namespace Lguest.Tests.Differential;

/// <summary>The interpreter's x87, MMX, SSE and SSE2 against this processor, like <see cref="IntegerTests"/>.</summary>
[Collection(LowMemory.Name)]
public sealed class FloatingPointTests(ITestOutputHelper output)
{
    private const int CasesPerForm = 150;
    private const int Sequences = 30_000;
    private const int SuiteShift = 40;
    private const ulong Suite = 0x8000;

    private static FloatingPointGenerator NewGenerator() => new(NativeRunner.Instance.GsSelector != 0);

    [NativeFact]
    public void EveryInstructionAgrees()
    {
        Disagreements found = new(output);
        using InterpreterRunner interpreter = new();
        Cases compare = new(interpreter, found, NewGenerator().Make);
        foreach ((Iced.Intel.Code code, InstructionForm form) in FloatingPointForms.All)
        {
            for (int i = 0; i < Cases.Of(CasesPerForm); i++)
                compare.Run((Suite + (ulong)code) << SuiteShift | (uint)i, form);
        }

        Assert.InRange(FloatingPointForms.All.Count, 400, 500);
        found.Check(FloatingPointForms.All.Count * Cases.Of(CasesPerForm));
    }

    [NativeFact]
    public void SequencesAgree()
    {
        Disagreements found = new(output);
        using InterpreterRunner interpreter = new();
        Cases compare = new(interpreter, found, NewGenerator().Make);
        for (int i = 0; i < Cases.Of(Sequences); i++)
            compare.Run((Suite << SuiteShift) | (uint)i, null);
        found.Check(Cases.Of(Sequences));
    }
}
