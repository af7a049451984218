// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Bench;

/// <summary>Something could not be measured; the message says why.</summary>
public sealed class BenchException(string message) : Exception(message);
