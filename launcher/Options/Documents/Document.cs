// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Inspect.Control;
using Lguest.Launcher.Common;
using Lguest.Launcher.Sandbox;

namespace Lguest.Launcher.Options.Documents;

/// <summary>
/// A page about the program that the program writes itself, from the tables that its parser and its help go by: what is
/// installed beside the binary cannot disagree with it.
/// </summary>
/// <param name="Name">The file's name, and the word for <c>lguest document NAME</c>.</param>
/// <param name="Text">Makes the whole file.</param>
public sealed record Document(string Name, Func<string> Text)
{
    /// <summary>Every page: what <c>make install</c> asks for, and the tables of README and docs/sandbox.md.</summary>
    public static IReadOnlyList<Document> All { get; } =
    [
        new("lguest.1", ManualPages.Launcher),
        new("lguest-ctl.1", ManualPages.Control),
        new("lguest-net.1", ManualPages.Network),
        new("lguest.bash", static () => Completion.Bash(OptionTable.All, ControlCommand.All)),
        new("_lguest", static () => Completion.Zsh(OptionTable.All, ControlCommand.All)),
        new("lguest.fish", static () => Completion.Fish(OptionTable.All, ControlCommand.All)),
        new("options.md", static () => OptionsMarkdown.Table(OptionTable.All)),
        new("system-calls.md", SystemCallsMarkdown.Table),
    ];

    /// <summary><c>lguest document NAME</c>: prints a page.</summary>
    /// <exception cref="LaunchException">There is no such page.</exception>
    public static int Run(ReadOnlySpan<string> arguments)
    {
        string wanted = arguments.Length == 1 ? arguments[0] : string.Empty;
        foreach (Document document in All)
        {
            if (document.Name == wanted)
                return HostOutput.Print(document.Text());
        }

        throw new LaunchException($"lguest document NAME prints one of {string.Join(", ", All.Select(d => d.Name))}");
    }
}
