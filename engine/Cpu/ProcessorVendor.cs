// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Engine.Cpu;

/// <summary>Who made a processor, as far as that decides what its instructions do.</summary>
public enum ProcessorVendor
{
    /// <summary>Somebody else: nothing is known to differ from Intel's.</summary>
    Other,

    /// <summary>Intel.</summary>
    Intel,

    /// <summary>AMD, and Hygon, whose processors are AMD's design.</summary>
    Amd,
}
