// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Engine.Cpu;

/// <summary>Bits of %dr6 (Intel SDM volume 3, 17.2.3).</summary>
internal static class DebugStatus
{
    /// <summary>What reads as one on every processor of the time.</summary>
    public const uint Reserved = 0xFFFF_0FF0;

    /// <summary>BS: the trap was for a step with TF.</summary>
    public const uint SingleStep = 0x4000;
}
