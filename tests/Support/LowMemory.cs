// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Tests.Support;

/// <summary>
/// Tests that use the low 4 GiB of this process one after the other: 32-bit code that runs natively reaches all of it, and
/// others put pages there to see that nobody writes to them.
/// </summary>
[CollectionDefinition(Name)]
public sealed class LowMemory
{
    public const string Name = "the low 4 GiB of this process";
}
