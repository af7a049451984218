// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Launcher.Common;

/// <summary>The guest cannot be started as asked. The message is one sentence for the user: what, why, and what helps.</summary>
public sealed class LaunchException(string message) : Exception(message);
