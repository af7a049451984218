// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Engine.Check;

/// <summary>Something that processors of Intel and of AMD do not do the same.</summary>
/// <param name="Instructions">Which instructions, and when.</param>
/// <param name="Intel">What Intel's processors do.</param>
/// <param name="Amd">What AMD's do.</param>
/// <param name="Guest">What a guest sees under both engines, or where that depends on the host.</param>
/// <param name="Source">Where that is written, or that it was observed and on what.</param>
public sealed record VendorDifference(string Instructions, string Intel, string Amd, string Guest, string Source);
