// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Tests.Network;
using Lguest.Tests.Support;

namespace Lguest.Tests.WholeSystem;

/// <summary>Real kernels after 2.6.23, and what they boot into, from the environment (docs/testing.md).</summary>
/// <param name="variables">Name the kernels.</param>
public sealed class LaterKernels(params string[] variables)
{
    /// <summary>An initrd with a shell.</summary>
    public const string InitrdVariable = "LGUEST_TEST_INITRD_VIRTIO";

    /// <summary>A root disk with a shell.</summary>
    public const string RootVariable = "LGUEST_TEST_ROOT_VIRTIO";

    /// <summary>The initrd.</summary>
    public static string Initrd => Environment.GetEnvironmentVariable(InitrdVariable)!;

    /// <summary>The root disk.</summary>
    public static string Root => Environment.GetEnvironmentVariable(RootVariable)!;

    /// <summary>Those that are there, each under each of the engines that are for use.</summary>
    public IEnumerable<object[]> WithEngines => With(static engine => engine != "check");

    /// <summary>Those that are there, under check.</summary>
    public IEnumerable<object[]> WithCheck => With(static engine => engine == "check");

    /// <summary>Why a test of them cannot run; null when it can.</summary>
    /// <param name="variable">Names what the kernel boots into.</param>
    /// <param name="needs">Of the network.</param>
    public string? WhyNot(string variable, NetNeed[] needs) =>
        Needs.WhyNot([Need.Launcher, Need.Guests]) ?? WhyNone ?? Needs.Variable(variable) ?? needs.Select(NetNeeds.WhyNot).FirstOrDefault(static reason => reason != null);

    private string? WhyNone => variables.All(static name => Needs.Variable(name) != null) ? string.Join(", ", variables.Select(Needs.Variable)) : null;

    private IEnumerable<object[]> With(Func<string, bool> wanted) =>
        from name in variables
        where Needs.Variable(name) == null
        from engine in Needs.Engines
        where wanted(engine)
        select new object[] { engine, Environment.GetEnvironmentVariable(name)! };
}
