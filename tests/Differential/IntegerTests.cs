// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Check;
using Lguest.Tests.Support;
using Xunit.Abstractions;

namespace Lguest.Tests.Differential;

/// <summary>
/// The interpreter against this processor, on random integer code. Seeds are fixed; <c>LGUEST_SEED=0x...</c> (as a failure
/// prints it) runs just that case, <c>LGUEST_CASES=n</c> multiplies the number of cases.
/// </summary>
[Collection(LowMemory.Name)]
public sealed class IntegerTests(ITestOutputHelper output)
{
    private const int CasesPerForm = 400;
    private const int Sequences = 100_000;
    private const int SuiteShift = 40;

    private static SnippetGenerator NewGenerator() => new(NativeRunner.Instance.GsSelector != 0);

    /// <param name="quietly">Page faults are taken back instead of thrown: then too nothing has changed.</param>
    [NativeTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void EveryInstructionAgrees(bool quietly)
    {
        Disagreements found = new(output);
        using InterpreterRunner interpreter = new(quietly);
        Cases compare = new(interpreter, found, NewGenerator().Make);
        for (int form = 0; form < IntegerTable.Forms.Count; form++)
        {
            for (int i = 0; i < Cases.Of(CasesPerForm); i++)
                compare.Run(((ulong)form + 1) << SuiteShift | (uint)i, IntegerTable.Forms[form]);
        }

        found.Check(IntegerTable.Forms.Count * Cases.Of(CasesPerForm));
    }

    [NativeTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void SequencesAgree(bool quietly)
    {
        Disagreements found = new(output);
        using InterpreterRunner interpreter = new(quietly);
        Cases compare = new(interpreter, found, NewGenerator().Make);
        for (int i = 0; i < Cases.Of(Sequences); i++)
            compare.Run((ulong)i, null);
        found.Check(Cases.Of(Sequences));
    }

    /// <summary>The cases above do meet page faults: else taking them back would prove nothing.</summary>
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

        Assert.InRange(faults, 1000, IntegerTable.Forms.Count * CasesPerForm);
    }

    /// <summary>The rig must be able to fail: an interpreter that gets one thing wrong is found out.</summary>
    [NativeTheory]
    [InlineData("register")]
    [InlineData("flag")]
    [InlineData("memory")]
    [InlineData("fault")]
    public void AWrongRunnerIsReported(string what)
    {
        Disagreements found = new(null);
        using InterpreterRunner interpreter = new();
        Cases compare = new(new WrongRunner(interpreter, what), found, NewGenerator().Make);
        for (int i = 0; i < 2000; i++)
            compare.Run((ulong)i, null);
        Assert.NotEqual(0, found.Count);
        Assert.Contains("<--", found.Text, StringComparison.Ordinal);
    }

    /// <summary>Fixed seeds make the same snippets for ever: a failure can be replayed.</summary>
    [NativeFact]
    public void SeedsAreReproducible()
    {
        SnippetGenerator first = new(hasGs: true), second = new(hasGs: true);
        for (ulong seed = 0; seed < 100; seed++)
        {
            first.Make(seed + 1000, null);
            byte[] code = first.Make(seed, null).Code;
            Assert.Equal(code, second.Make(seed, null).Code);
        }
    }

    /// <summary>An interpreter with one defect.</summary>
    private sealed class WrongRunner(ISnippetRunner inner, string what) : ISnippetRunner
    {
        public void Run(Snippet snippet, Outcome outcome)
        {
            inner.Run(snippet, outcome);
            switch (what)
            {
                case "register" when outcome.After.Registers[7] == 0:
                    outcome.After.Registers[7] = 1;
                    break;
                case "flag" when snippet.UndefinedFlags == 0 && outcome.Vector == Outcome.NoVector:
                    outcome.After.Flags ^= 0x10;
                    break;
                case "memory" when !outcome.Memory.AsSpan().SequenceEqual(snippet.Memory):
                    snippet.Memory.CopyTo(outcome.Memory, 0);
                    break;
                case "fault" when outcome.Vector == 14:
                    outcome.FaultAddress++;
                    break;
            }
        }
    }
}
