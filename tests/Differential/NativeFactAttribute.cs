// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Tests.Differential;

/// <summary>A test that needs the host to run 32-bit code; elsewhere it is skipped, and says why.</summary>
internal sealed class NativeFactAttribute : FactAttribute
{
    public NativeFactAttribute() => Skip = NativeRunner.Unavailable;
}

/// <summary>The same for a theory.</summary>
internal sealed class NativeTheoryAttribute : TheoryAttribute
{
    public NativeTheoryAttribute() => Skip = NativeRunner.Unavailable;
}
