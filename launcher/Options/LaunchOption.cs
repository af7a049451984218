// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Inspect.Common;
using Lguest.Launcher.Common;

namespace Lguest.Launcher.Options;

/// <summary>One option: how it is written, what it is for, and what it does.</summary>
/// <param name="Name">The long name, without dashes.</param>
/// <param name="Letter">A one-letter form, or NUL.</param>
/// <param name="ValueName">What follows the equals sign in the help; null when the option takes no value.</param>
/// <param name="Help">One or two lines.</param>
/// <param name="Apply">Takes note of it; throws a <see cref="LaunchException"/> or an <see cref="InspectException"/> for a value that makes no sense.</param>
/// <param name="ValueOptional">The value may be left out, and is empty then.</param>
/// <param name="Choices">The values there are, where they can be counted: for completion.</param>
public sealed record LaunchOption(
    string Name, char Letter, string? ValueName, string Help, Action<LaunchOptions, string> Apply, bool ValueOptional = false,
    IReadOnlyList<string>? Choices = null);
