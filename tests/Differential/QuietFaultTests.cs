// SPDX-License-Identifier: GPL-2.0-or-later
using Xunit.Abstractions;

namespace Lguest.Tests.Differential;

/// <summary>
/// An instruction whose page fault was taken back has changed as little as on this processor: the same random code as in
/// <see cref="IntegerTests"/>, of which a good part faults, with faults that are not thrown.
/// </summary>
public sealed class QuietFaultTests(ITestOutputHelper output)
{
    private const int CasesPerForm = 150;
    private const int Sequences = 40_000;
    private const int SuiteShift = 40;

    private static SnippetGenerator NewGenerator() => new(NativeRunner.Instance.GsSelector != 0);

    [NativeFact]
    public void EveryInstructionAgrees()
    {
        Disagreements found = new(output);
        using InterpreterRunner interpreter = new(quietly: true);
        Cases compare = new(interpreter, found, NewGenerator().Make);
        for (int form = 0; form < IntegerTable.Forms.Count; form++)
        {
            for (int i = 0; i < CasesPerForm * Cases.Factor; i++)
                compare.Run(((ulong)form + 1) << SuiteShift | (uint)i, IntegerTable.Forms[form]);
        }

        found.Check(IntegerTable.Forms.Count * CasesPerForm * Cases.Factor);
    }

    [NativeFact]
    public void SequencesAgree()
    {
        Disagreements found = new(output);
        using InterpreterRunner interpreter = new(quietly: true);
        Cases compare = new(interpreter, found, NewGenerator().Make);
        for (int i = 0; i < Sequences * Cases.Factor; i++)
            compare.Run((ulong)i, null);
        found.Check(Sequences * Cases.Factor);
    }

    /// <summary>The cases above do meet page faults: else they would prove nothing.</summary>
    [NativeFact]
    public void ManyCasesFault()
    {
        using InterpreterRunner interpreter = new(quietly: true);
        SnippetGenerator generator = NewGenerator();
        Outcome outcome = new();
        int faults = 0;
        for (int form = 0; form < IntegerTable.Forms.Count; form++)
        {
            for (uint i = 0; i < CasesPerForm; i++)
            {
                interpreter.Run(generator.Make(((ulong)form + 1) << SuiteShift | i, IntegerTable.Forms[form]), outcome);
                faults += outcome.Vector == 14 ? 1 : 0;
            }
        }

        Assert.InRange(faults, 400, IntegerTable.Forms.Count * CasesPerForm);
    }
}
