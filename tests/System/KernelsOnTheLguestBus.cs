// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Tests.Network;

namespace Lguest.Tests.WholeSystem;

/// <summary>Real kernels of 2.6.24 to 3.19.</summary>
public static class KernelsOnTheLguestBus
{
    internal static readonly LaterKernels Kernels =
        new("LGUEST_TEST_KERNEL_2_6_24", "LGUEST_TEST_KERNEL_2_6_32", "LGUEST_TEST_KERNEL_3_14", "LGUEST_TEST_KERNEL_3_18");

    /// <inheritdoc cref="LaterKernels.WithEngines"/>
    public static IEnumerable<object[]> WithEngines => Kernels.WithEngines;

    /// <inheritdoc cref="LaterKernels.WithCheck"/>
    public static IEnumerable<object[]> WithCheck => Kernels.WithCheck;
}

/// <summary>A test for each of <see cref="KernelsOnTheLguestBus.WithEngines"/>, or with check.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class KernelOnTheLguestBusTheoryAttribute : TheoryAttribute
{
    /// <summary>Skips, with the reason, when something is missing.</summary>
    /// <param name="variable">Names what the kernel boots into.</param>
    /// <param name="needs">Of the network.</param>
    public KernelOnTheLguestBusTheoryAttribute(string variable, params NetNeed[] needs) => Skip = KernelsOnTheLguestBus.Kernels.WhyNot(variable, needs);
}
