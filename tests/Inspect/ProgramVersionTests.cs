// SPDX-License-Identifier: GPL-2.0-or-later
using System.Reflection;
using Lguest.Inspect.Common;

namespace Lguest.Tests.Inspect;

/// <summary>The version, which the build writes into the program twice: as the assembly's and as ours.</summary>
public sealed class ProgramVersionTests
{
    [Fact]
    public void ItIsTheAssemblysOwn()
    {
        string whole = typeof(ProgramVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;
        string[] parts = whole.Split('+');
        Assert.Equal(parts[0], ProgramVersion.Number);
        Assert.Equal(parts.Length == 1 ? parts[0] : $"{parts[0]} ({parts[1][..12]})", ProgramVersion.Whole);
    }
}
