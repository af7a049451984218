// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Inspect.Common;

/// <summary>The guest cannot be looked into as asked. The message is one sentence for the user: what, why, and what helps.</summary>
public sealed class InspectException(string message) : Exception(message);
