// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi;

/// <summary>Reasons for a guest's end that mean something.</summary>
public static class GuestDeath
{
    /// <summary>The words with which a kernel of 2007 powers off: a crash like any other, and no accident.</summary>
    public const string PowerDown = "CRASH: Power down";

    /// <summary>A kernel of later years that is told to halt: HLT with interrupts off, from which nothing would wake it.</summary>
    public const string Halted = "CRASH: System halted";
}
