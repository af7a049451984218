// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using System.Text.RegularExpressions;
using Lguest.Inspect.Common;
using Lguest.Tests.Support;
using Xunit;

namespace Lguest.Tests.WholeSystem;

/// <summary>What <c>make install</c> and the packages lay out is what docs/install.md lists, and it works there.</summary>
public sealed class InstallTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    private string Stage => Path.Combine(_directory.Path, "stage");

    /// <inheritdoc/>
    public void Dispose() => _directory.Dispose();

    [FactNeeding(Need.Publication, Need.Guests)]
    public void TheDocumentedFilesAreInstalled()
    {
        Install("install");
        Assert.Equal(Documented(), Files(Path.Combine(Stage, "usr/local")));
        foreach (string file in Directory.EnumerateFiles(Stage, "*", SearchOption.AllDirectories).Where(f => new FileInfo(f).LinkTarget == null))
        {
            string expected = Path.GetFileName(file) == "lguest" && !file.Contains("completion", StringComparison.Ordinal) ? "755" : "644";
            Assert.Equal((file, expected), (file, Convert.ToString((int)File.GetUnixFileMode(file), 8)));
        }
    }

    /// <summary>From another folder, without this repository's out/ in sight.</summary>
    [FactNeeding(Need.Publication, Need.Guests)]
    public void TheInstalledProgramBootsTheDemo()
    {
        Install("install");
        string prefix = Path.Combine(Stage, "usr/local");
        ProcessResult result = Command.Run(Path.Combine(prefix, "bin/lguest"), ["64m", Path.Combine(prefix, "share/lguest/demo")], _directory.Path, "off\n");
        Assert.Equal((0, string.Empty), (result.Status, result.Error));
        Assert.Contains("Good-bye.", result.Output, StringComparison.Ordinal);
    }

    /// <summary>The same source makes the same files anywhere, and they say nothing about whoever built them.</summary>
    [FactNeeding(Need.Publication, Need.Guests)]
    public void NothingNamesTheBuildersFolder()
    {
        Install("install");
        foreach (string file in Directory.EnumerateFiles(Stage, "*", SearchOption.AllDirectories))
        {
            string content = Encoding.Latin1.GetString(File.ReadAllBytes(file));
            Assert.All(new[] { "guest", "launcher", "engine" }, folder =>
                Assert.False(content.Contains(Path.Combine(Needs.Root, folder), StringComparison.Ordinal), $"{file} names {Needs.Root}/{folder}"));
        }
    }

    /// <summary>All that was installed goes, and nothing that was not.</summary>
    [FactNeeding(Need.Publication, Need.Guests)]
    public void UninstallingRemovesTheseFilesOnly()
    {
        Install("install");
        string mine = Path.Combine(Stage, "usr/local/share/lguest/vmlinux");
        File.WriteAllText(mine, "a kernel of the user's own");
        Install("uninstall");
        Assert.Equal([mine], Directory.EnumerateFiles(Stage, "*", SearchOption.AllDirectories));
        Assert.False(Directory.Exists(Path.Combine(Stage, "usr/local/share/doc/lguest")));
    }

    [FactNeeding(Need.Publication, Need.Guests)]
    public void TheTarballIsTheSameEachTime()
    {
        string name = $"lguest-{ProgramVersion.Number}-linux-x86_64";
        byte[][] made = [.. new[] { "first", "second" }.Select(folder => File.ReadAllBytes(Path.Combine(Pack("dist", folder), name + ".tar.gz")))];
        Assert.Equal(made[0], made[1]);

        Run("tar", ["xf", Path.Combine(_directory.Path, "first", name + ".tar.gz"), "-C", _directory.Path]);
        string root = Path.Combine(_directory.Path, name);
        Assert.Equal(["COPYING", "INSTALL", "README.md", .. Documented()], Files(root));
        Assert.True(File.Exists(Path.Combine(root, "COPYING")), "a link that leads nowhere");
        ProcessResult result = Command.Run(Path.Combine(root, "bin/lguest"), ["64m", "share/lguest/demo"], root, "off\n");
        Assert.Equal((0, string.Empty), (result.Status, result.Error));
    }

    [FactNeeding(Need.Publication, Need.Guests, Need.DpkgDeb, Need.NativeProgram)]
    public void TheDebianPackageSaysWhatItIs()
    {
        string package = Directory.GetFiles(Pack("deb", "deb")).Single();
        Dictionary<string, string> control = Run("dpkg-deb", ["-f", package]).Split('\n').Where(line => line.Contains(": ", StringComparison.Ordinal) && line[0] != ' ')
            .Select(line => line.Split(": ", 2)).ToDictionary(pair => pair[0], pair => pair[1]);
        Assert.Equal("lguest", control["Package"]);
        Assert.Equal("amd64", control["Architecture"]);
        Assert.Equal(ProgramVersion.Number.Replace('-', '~') + "-1", control["Version"]);
        Assert.Matches(new Regex(@"^libc6 \(>= 2\.[0-9]+\)"), control["Depends"]);

        Run("dpkg-deb", ["-x", package, Stage]);
        string doc = "share/doc/lguest/";
        IEnumerable<string> expected = Documented()
            .Select(f => f.StartsWith("share/man/", StringComparison.Ordinal) ? f + ".gz" : f)
            .Select(f => f.Replace("zsh/site-functions", "zsh/vendor-completions", StringComparison.Ordinal))
            .Select(f => f == doc + "CHANGELOG.md" ? doc + "changelog.gz" : f)
            .Where(f => f != doc + "COPYING")
            .Concat([doc + "changelog.Debian.gz", "share/lintian/overrides/lguest"]);
        Assert.Equal(expected.Order(StringComparer.Ordinal), Files(Path.Combine(Stage, "usr")));

        Run("dpkg-deb", ["-e", package, Path.Combine(_directory.Path, "control")]);
        Run("md5sum", ["--check", "--quiet", Path.Combine(_directory.Path, "control/md5sums")], Stage);
    }

    /// <summary>With nothing of the host's files in sight.</summary>
    [FactNeeding(Need.Publication, Need.Guests, Need.Umoci, Need.Root)]
    public void TheImageBootsTheDemo()
    {
        string archive = Directory.GetFiles(Pack("image", "image")).Single();
        string layout = Directory.CreateDirectory(Path.Combine(_directory.Path, "layout")).FullName;
        string bundle = Path.Combine(_directory.Path, "bundle");
        Run("tar", ["xf", archive, "-C", layout]);
        Run("umoci", ["unpack", "--rootless", "--image", $"{layout}:lguest:{ProgramVersion.Number}", bundle]);
        string[] command = ["/usr/bin/lguest", "64m", "/usr/share/lguest/demo"];
        string written = string.Concat(File.ReadAllText(Path.Combine(bundle, "config.json")).Where(c => !char.IsWhiteSpace(c)));
        Assert.Contains($"\"args\":[{string.Join(',', command.Select(word => $"\"{word}\""))}]", written, StringComparison.Ordinal);
        ProcessResult result = Command.Run("chroot", [Path.Combine(bundle, "rootfs"), .. command], _directory.Path, "off\n");
        Assert.Equal((0, string.Empty), (result.Status, result.Error));
        Assert.Contains("Good-bye.", result.Output, StringComparison.Ordinal);
    }

    private static string Script(string name) => Path.Combine(Needs.Root, "packaging", name + ".sh");

    /// <summary>The list in docs/install.md; <c>*</c> stands for what the repository has there.</summary>
    private static string[] Documented()
    {
        string text = File.ReadAllText(Path.Combine(Needs.Root, "docs/install.md"));
        string list = text.Split("<!-- files -->\n```\n")[1].Split("```")[0];
        IEnumerable<string> documents = Directory.GetFiles(Path.Combine(Needs.Root, "docs"), "*.md").Select(f => "share/doc/lguest/docs/" + Path.GetFileName(f));
        return [.. list.Split('\n', StringSplitOptions.RemoveEmptyEntries).SelectMany(line => line.EndsWith("docs/*.md", StringComparison.Ordinal) ? documents : [line])
            .Order(StringComparer.Ordinal)];
    }

    /// <summary>All files and links below a folder, but for what a publication without the NativeAOT compiler has beside it.</summary>
    private static string[] Files(string root) => [.. Directory.EnumerateFiles(root, "*", SearchOption.AllDirectories)
        .Select(file => Path.GetRelativePath(root, file))
        .Where(file => !file.StartsWith("lib/lguest/", StringComparison.Ordinal))
        .Order(StringComparer.Ordinal)];

    private static string Run(string program, string[] arguments, string? folder = null, params (string Name, string Value)[] variables)
    {
        ProcessResult result = Command.Run(program, arguments, folder ?? Needs.Root, string.Empty, variables);
        Assert.True(result.Status == 0, $"{program} {string.Join(' ', arguments)}: {result.Output}{result.Error}");
        return result.Output;
    }

    private void Install(string action) =>
        Run(Script("install"), [action, Needs.OutDirectory], null, ("DESTDIR", Stage), ("PREFIX", "/usr/local"));

    /// <summary>Runs a packaging script.</summary>
    /// <returns>The folder that it packs into.</returns>
    private string Pack(string what, string folder)
    {
        string target = Path.Combine(_directory.Path, folder);
        Run(Script(what), [], null, ("OUT", Needs.OutDirectory), ("DIST", target), ("IMAGE_TOOL", "umoci"), ("PACK_LEVEL", "1"));
        return target;
    }
}
