// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Inspect.Monitor;

/// <summary>A command makes no sense; the message says why.</summary>
public sealed class MonitorException(string message) : Exception(message);
