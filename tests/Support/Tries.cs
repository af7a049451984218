// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Tests.Support;

/// <summary>
/// For what can only be measured: a busy machine spoils a measurement now and then, in one direction. Something that is wrong is
/// wrong every time.
/// </summary>
internal static class Tries
{
    private const int Most = 5;

    /// <summary>Measures until it is small enough.</summary>
    /// <param name="measure">Takes one measurement.</param>
    /// <param name="limit">Less than this is good.</param>
    /// <param name="what">What is measured, with its unit, for the message.</param>
    public static void Below(double limit, string what, Func<double> measure)
    {
        List<double> measured = [];
        while (measured.Count < Most)
        {
            measured.Add(measure());
            if (measured[^1] < limit)
                return;
        }

        Assert.Fail($"{what}: {string.Join(", ", measured)}; never less than {limit}");
    }
}
