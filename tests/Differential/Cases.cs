// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;

namespace Lguest.Tests.Differential;

/// <summary>
/// Runs cases on this processor and on another runner. <c>LGUEST_SEED=0x...</c> (as a failure prints it) runs just that case,
/// <c>LGUEST_CASES=n</c> multiplies the number of cases; 0.1 is a tenth of them.
/// </summary>
/// <param name="other">What is tested.</param>
/// <param name="found">Where disagreements go.</param>
/// <param name="make">Makes the snippet of a seed.</param>
internal sealed class Cases(ISnippetRunner other, Disagreements found, Func<ulong, InstructionForm?, Snippet> make)
{
    private static readonly ulong? s_seed = Environment.GetEnvironmentVariable("LGUEST_SEED") is { } text
        ? ulong.Parse(text.Replace("0x", "", StringComparison.Ordinal), NumberStyles.HexNumber, CultureInfo.InvariantCulture)
        : null;

    private readonly Outcome _expected = new();
    private readonly Outcome _actual = new();

    private static readonly double s_factor =
        double.Parse(Environment.GetEnvironmentVariable("LGUEST_CASES") ?? "1", CultureInfo.InvariantCulture);

    /// <summary>How many cases to run where so many are usual; at least one.</summary>
    public static int Of(int usual) => Math.Max(1, (int)(usual * s_factor));

    public void Run(ulong seed, InstructionForm? form)
    {
        if (s_seed.HasValue && s_seed != seed)
            return;
        Snippet snippet = make(seed, form);
        NativeRunner.Instance.Run(snippet, _expected);
        other.Run(snippet, _actual);
        if (!Comparison.Agree(snippet, _expected, _actual))
            found.Add(snippet, form, _expected, _actual);
    }
}
