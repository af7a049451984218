// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Tests.Network;

namespace Lguest.Tests.WholeSystem;

/// <summary>Real kernels of 4.0 to 4.13.</summary>
public static class KernelsOnPci
{
    internal static readonly LaterKernels Kernels = new("LGUEST_TEST_KERNEL_4_9", "LGUEST_TEST_KERNEL_4_13");

    /// <inheritdoc cref="LaterKernels.WithEngines"/>
    public static IEnumerable<object[]> WithEngines => Kernels.WithEngines;
}

/// <summary>A test for each of <see cref="KernelsOnPci.WithEngines"/>.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class KernelOnPciTheoryAttribute : TheoryAttribute
{
    /// <summary>Skips, with the reason, when something is missing.</summary>
    /// <param name="variable">Names what the kernel boots into.</param>
    /// <param name="needs">Of the network.</param>
    public KernelOnPciTheoryAttribute(string variable, params NetNeed[] needs) => Skip = KernelsOnPci.Kernels.WhyNot(variable, needs);
}
