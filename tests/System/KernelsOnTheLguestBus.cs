// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Tests.Network;
using Lguest.Tests.Support;
using Xunit;

namespace Lguest.Tests.WholeSystem;

/// <summary>Real kernels of 2.6.24 to 3.19, from the environment (docs/testing.md); they boot into what <see cref="KernelsOnPci"/> names.</summary>
public static class KernelsOnTheLguestBus
{
    private static readonly string[] s_kernels = ["LGUEST_TEST_KERNEL_2_6_24", "LGUEST_TEST_KERNEL_2_6_32", "LGUEST_TEST_KERNEL_3_14", "LGUEST_TEST_KERNEL_3_18"];

    /// <summary>Those that are there, each under each of the engines that are for use.</summary>
    public static IEnumerable<object[]> WithEngines => With(static engine => engine != "check");

    /// <summary>Those that are there, under check.</summary>
    public static IEnumerable<object[]> WithCheck => With(static engine => engine == "check");

    /// <summary>Why none is there; null when one is.</summary>
    public static string? WhyNone => s_kernels.All(static name => Needs.Variable(name) != null) ? string.Join(", ", s_kernels.Select(Needs.Variable)) : null;

    private static IEnumerable<object[]> With(Func<string, bool> wanted) =>
        from name in s_kernels
        where Needs.Variable(name) == null
        from engine in Needs.Engines
        where wanted(engine)
        select new object[] { engine, Environment.GetEnvironmentVariable(name)! };
}

/// <summary>A test for each of <see cref="KernelsOnTheLguestBus.WithEngines"/>, or with check.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class KernelOnTheLguestBusTheoryAttribute : TheoryAttribute
{
    /// <summary>Skips, with the reason, when something is missing.</summary>
    /// <param name="variable">Names what the kernel boots into.</param>
    /// <param name="needs">Of the network.</param>
    public KernelOnTheLguestBusTheoryAttribute(string variable, params NetNeed[] needs) =>
        Skip = Needs.WhyNot([Need.Launcher, Need.Guests]) ?? KernelsOnTheLguestBus.WhyNone ?? Needs.Variable(variable) ?? needs.Select(NetNeeds.WhyNot).FirstOrDefault(static reason => reason != null);
}
