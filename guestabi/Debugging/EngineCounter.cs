// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi.Debugging;

/// <summary>Something that an engine counts for itself.</summary>
/// <param name="Name">What, in a few words.</param>
/// <param name="Value">How many.</param>
/// <param name="IsLevel">How many there are now; else how many there have been.</param>
public readonly record struct EngineCounter(string Name, long Value, bool IsLevel = false);
