// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;

namespace Lguest.Launcher.Sandbox;

/// <summary>The table of system calls in Markdown, as it stands in docs/sandbox.md.</summary>
public static class SystemCallsMarkdown
{
    /// <summary>A table of three columns.</summary>
    public static string Table()
    {
        StringBuilder text = new("| call | limit | who needs it |\n|---|---|---|\n");
        foreach (AllowedCall call in SystemCallTable.All)
            text.Append($"| `{call.Name}` | {call.Limit} | {call.Why} |\n");
        return text.ToString();
    }
}
