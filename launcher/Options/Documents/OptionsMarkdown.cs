// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;

namespace Lguest.Launcher.Options.Documents;

/// <summary>The option table in Markdown, as it stands in the README.</summary>
public static class OptionsMarkdown
{
    /// <summary>A table of two columns.</summary>
    public static string Table(IReadOnlyList<LaunchOption> options)
    {
        StringBuilder text = new("| option | what it does |\n|---|---|\n");
        foreach (LaunchOption option in options)
        {
            string letter = option.Letter == '\0' ? string.Empty : $"`-{option.Letter}`, ";
            text.Append($"| {letter}`--{option.Name}{HelpText.ValueOf(option).Replace("|", "\\|", StringComparison.Ordinal)}` | {option.Help.Replace('\n', ' ')} |\n");
        }

        return text.ToString();
    }
}
