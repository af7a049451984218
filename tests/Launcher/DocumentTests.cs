// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using System.Text;
using Lguest.Inspect.Control;
using Lguest.Launcher.Common;
using Lguest.Launcher.Options;
using Lguest.Launcher.Options.Documents;
using Lguest.Tests.Support;

namespace Lguest.Tests.Launcher;

/// <summary>The manual pages, the completions and README's table name what the parser understands, all of it.</summary>
public sealed class DocumentTests
{
    [Theory]
    [InlineData("lguest.1")]
    [InlineData("lguest.bash")]
    [InlineData("_lguest")]
    [InlineData("lguest.fish")]
    [InlineData("options.md")]
    public void EveryOptionIsNamed(string name)
    {
        string text = Text(name).Replace("\\-", "-", StringComparison.Ordinal);
        string form = name == "lguest.fish" ? " -l {0} " : "--{0}";
        foreach (LaunchOption option in OptionTable.All)
            Assert.Contains(string.Format(null, form, option.Name), text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("lguest-ctl.1")]
    [InlineData("lguest.bash")]
    [InlineData("_lguest")]
    [InlineData("lguest.fish")]
    public void EveryControlCommandIsNamed(string name)
    {
        string text = Text(name);
        foreach (ControlCommand command in ControlCommand.All)
            Assert.Contains(command.Name, text, StringComparison.Ordinal);
    }

    /// <summary>README's table is the generated one, word for word: <c>lguest document options.md</c>.</summary>
    [Fact]
    public void TheReadmeHasTheTable()
    {
        string readme = File.ReadAllText(Path.Combine(Needs.FindRoot(), "README.md"));
        bool same = readme.Contains("<!-- options -->\n" + Text("options.md") + "<!-- /options -->\n", StringComparison.Ordinal);
        Assert.True(same, "README.md has another table of options than the program: 'make readme' writes it anew");
    }

    /// <summary>And so is that of docs/sandbox.md: <c>lguest document system-calls.md</c>.</summary>
    [Fact]
    public void TheSandboxDocumentHasTheTable()
    {
        string document = File.ReadAllText(Path.Combine(Needs.FindRoot(), "docs/sandbox.md"));
        Assert.Contains("<!-- calls -->\n" + Text("system-calls.md") + "<!-- /calls -->\n", document, StringComparison.Ordinal);
    }

    [FactNeeding(Need.Bash)]
    public void BashParsesItsCompletion() => Parses("bash", "lguest.bash");

    [FactNeeding(Need.Zsh)]
    public void ZshParsesItsCompletion() => Parses("zsh", "_lguest");

    [FactNeeding(Need.Fish)]
    public void FishParsesItsCompletion() => Parses("fish", "lguest.fish");

    [Fact]
    public void AnUnknownDocumentIsASentence() =>
        Assert.Contains("lguest.1", Assert.Throws<LaunchException>(() => Document.Run(["nonsense"])).Message, StringComparison.Ordinal);

    [Fact]
    public void TheHelpFitsATerminal() =>
        Assert.All(HelpText.Whole().Split('\n'), line => Assert.True(line.Length <= 80, line));

    private static void Parses(string shell, string name)
    {
        using TemporaryDirectory directory = new();
        string file = directory.File(name, Encoding.UTF8.GetBytes(Text(name)));
        using Process process = Process.Start(new ProcessStartInfo(shell, ["-n", file]) { RedirectStandardError = true })!;
        string errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.Equal((0, string.Empty), (process.ExitCode, errors));
    }

    private static string Text(string name) => Document.All.Single(d => d.Name == name).Text();
}
