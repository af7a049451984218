// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Text;
using Xunit.Abstractions;

namespace Lguest.Tests.Differential;

/// <summary>
/// The interpreter against this processor, on random integer code. Seeds are fixed; <c>LGUEST_SEED=0x...</c> (as a failure
/// prints it) runs just that case, <c>LGUEST_CASES=n</c> multiplies the number of cases.
/// </summary>
public sealed class IntegerTests(ITestOutputHelper output)
{
    private const int CasesPerForm = 400;
    private const int Sequences = 100_000;
    private const int Reported = 12;
    private const int SuiteShift = 40;

    private static readonly ulong? s_seed = Environment.GetEnvironmentVariable("LGUEST_SEED") is { } text
        ? ulong.Parse(text.Replace("0x", "", StringComparison.Ordinal), NumberStyles.HexNumber, CultureInfo.InvariantCulture)
        : null;

    private static readonly int s_factor = int.Parse(Environment.GetEnvironmentVariable("LGUEST_CASES") ?? "1", CultureInfo.InvariantCulture);

    [NativeFact]
    public void EveryInstructionAgrees()
    {
        Disagreements found = new(output);
        using InterpreterRunner interpreter = new();
        Compare compare = new(interpreter, found);
        for (int form = 0; form < IntegerTable.Forms.Count; form++)
        {
            for (int i = 0; i < CasesPerForm * s_factor; i++)
                compare.Case(((ulong)form + 1) << SuiteShift | (uint)i, IntegerTable.Forms[form]);
        }

        found.Check(IntegerTable.Forms.Count * CasesPerForm);
    }

    [NativeFact]
    public void SequencesAgree()
    {
        Disagreements found = new(output);
        using InterpreterRunner interpreter = new();
        Compare compare = new(interpreter, found);
        for (int i = 0; i < Sequences * s_factor; i++)
            compare.Case((ulong)i, null);
        found.Check(Sequences);
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
        Compare compare = new(new WrongRunner(interpreter, what), found);
        for (int i = 0; i < 2000; i++)
            compare.Case((ulong)i, null);
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

    private sealed class Compare(ISnippetRunner other, Disagreements found)
    {
        private readonly SnippetGenerator _generator = new(NativeRunner.Instance.GsSelector != 0);
        private readonly Outcome _expected = new();
        private readonly Outcome _actual = new();

        public void Case(ulong seed, InstructionForm? form)
        {
            if (s_seed.HasValue && s_seed != seed)
                return;
            Snippet snippet = _generator.Make(seed, form);
            NativeRunner.Instance.Run(snippet, _expected);
            other.Run(snippet, _actual);
            if (!Comparison.Agree(snippet, _expected, _actual))
                found.Add(snippet, form, _expected, _actual);
        }
    }

    private sealed class Disagreements(ITestOutputHelper? output)
    {
        private readonly StringBuilder _text = new();
        private readonly Dictionary<string, int> _forms = [];

        public int Count { get; private set; }

        public string Text => _text.ToString();

        public void Add(Snippet snippet, InstructionForm? form, Outcome expected, Outcome actual)
        {
            Count++;
            string key = form?.Line ?? "";
            _forms[key] = _forms.GetValueOrDefault(key) + 1;
            if (Count <= Reported || _forms[key] == 1)
                _text.AppendLine(Comparison.Describe(snippet, expected, actual));
        }

        public void Check(int cases)
        {
            output?.WriteLine($"{cases} cases, {Count} disagreements");
            string forms = string.Join(", ", _forms.Select(pair => $"[{pair.Key}] {pair.Value}"));
            Assert.True(Count == 0, $"{Count} disagreements: {forms}\n{_text}");
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
