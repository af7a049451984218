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

    /// <summary>
    /// Fails if something allocates whenever it is done. A garbage collection that another test's thread begins may count what is left of
    /// this thread's room for allocations.
    /// </summary>
    /// <param name="act">It; done a thousand times for each measurement.</param>
    public static void AllocatesNothing(Action act) => Below(1, "bytes allocated in 1,000 rounds", () =>
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++)
            act();
        return GC.GetAllocatedBytesForCurrentThread() - before;
    });
}
