// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using Lguest.Engine.Cpu;
using Xunit.Abstractions;

namespace Lguest.Tests.Differential;

/// <summary>Collects the cases in which the two runners disagree: the first few and the first of each form in full.</summary>
internal sealed class Disagreements(ITestOutputHelper? output)
{
    private const int Reported = 12;

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
        output?.WriteLine($"{cases} cases, {Count} disagreements with {HostProcessor.Description}");
        string forms = string.Join(", ", _forms.Select(pair => $"[{pair.Key}] {pair.Value}"));
        Assert.True(Count == 0, $"{Count} disagreements with {HostProcessor.Description}: {forms}\n{_text}");
    }
}
