// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Interpreter;
using Lguest.GuestAbi.Generations;

namespace Lguest.Tests.EngineParts;

/// <summary>The guest's processor is the one of docs/processor.md, whatever the host's is.</summary>
public sealed class CpuIdentityTests
{
    [Theory]
    [InlineData(0u, 1u, 0x756E_6547u, 0x6C65_746Eu, 0x4965_6E69u)] // "Genu", "ntel", "ineI"
    [InlineData(1u, 0x6D8u, 0x800u, 0u, 0x0788_A111u)]
    [InlineData(2u, 0u, 0u, 0u, 0u)]
    [InlineData(0x8000_0000u, 0x8000_0004u, 0u, 0u, 0u)]
    [InlineData(0x8000_0001u, 0u, 0u, 0u, 0u)]
    [InlineData(0x8000_0002u, 0x6575_674Cu, 0x7620_7473u, 0x7574_7269u, 0x3620_6C61u)] // "Lgue", "st v", "irtu", "al 6"
    [InlineData(0x8000_0005u, 0u, 0u, 0u, 0u)]
    public void EveryLeafIsAsDocumented(uint leaf, uint eax, uint ebx, uint ecx, uint edx)
    {
        uint answer = leaf;
        CpuIdentity.Query(ProcessorIdentity.Family6, ref answer, out uint b, out uint c, out uint d);
        Assert.Equal((eax, ebx, ecx, edx), (answer, b, c, d));
    }
}
