// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Tests.Network;
using Lguest.Tests.Support;
using Xunit;

namespace Lguest.Tests.WholeSystem;

/// <summary>Real kernels of 4.0 to 4.13, and what they boot into, from the environment (docs/testing.md).</summary>
public static class KernelsOnPci
{
    private static readonly string[] s_kernels = ["LGUEST_TEST_KERNEL_4_9", "LGUEST_TEST_KERNEL_4_13"];

    /// <summary>An initrd with a shell.</summary>
    public const string InitrdVariable = "LGUEST_TEST_INITRD_VIRTIO";

    /// <summary>A root disk with a shell.</summary>
    public const string RootVariable = "LGUEST_TEST_ROOT_VIRTIO";

    /// <summary>The initrd.</summary>
    public static string Initrd => Environment.GetEnvironmentVariable(InitrdVariable)!;

    /// <summary>The root disk.</summary>
    public static string Root => Environment.GetEnvironmentVariable(RootVariable)!;

    /// <summary>Those that are there, each under each of the engines that are for use.</summary>
    public static IEnumerable<object[]> WithEngines =>
        from name in s_kernels
        where Needs.Variable(name) == null
        from engine in Needs.Engines
        where engine != "check"
        select new object[] { engine, Environment.GetEnvironmentVariable(name)! };

    /// <summary>Why none is there; null when one is.</summary>
    public static string? WhyNone => s_kernels.All(static name => Needs.Variable(name) != null) ? string.Join(", ", s_kernels.Select(Needs.Variable)) : null;
}

/// <summary>A test for each of <see cref="KernelsOnPci.WithEngines"/>.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class KernelOnPciTheoryAttribute : TheoryAttribute
{
    /// <summary>Skips, with the reason, when something is missing.</summary>
    /// <param name="variable">Names what the kernel boots into.</param>
    /// <param name="needs">Of the network.</param>
    public KernelOnPciTheoryAttribute(string variable, params NetNeed[] needs) =>
        Skip = Needs.WhyNot([Need.Launcher, Need.Guests]) ?? KernelsOnPci.WhyNone ?? Needs.Variable(variable) ?? needs.Select(NetNeeds.WhyNot).FirstOrDefault(static reason => reason != null);
}
