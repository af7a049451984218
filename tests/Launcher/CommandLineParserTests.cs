// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine;
using Lguest.Launcher.Common;
using Lguest.Launcher.Options;
using Xunit;

namespace Lguest.Tests.Launcher;

/// <summary>Two generations of command lines, and every way to get them wrong.</summary>
public sealed class CommandLineParserTests
{
    /// <summary>The same guest, written in 2007's two orders and in between.</summary>
    [Theory]
    [InlineData("64m vmlinux --block=rootfile --initrd=rd root=/dev/lgba quiet")]
    [InlineData("--block=rootfile --initrd=rd 64m vmlinux root=/dev/lgba quiet")]
    [InlineData("--block=rootfile 64m vmlinux --initrd=rd root=/dev/lgba quiet")]
    [InlineData("--block rootfile 64m --initrd rd vmlinux root=/dev/lgba quiet")]
    [InlineData("--block=rootfile --initrd=rd -- 64m vmlinux root=/dev/lgba quiet")]
    [InlineData("64 vmlinux --block=rootfile --initrd=rd -- root=/dev/lgba quiet")]
    public void BothHistoricOrdersAreUnderstood(string line)
    {
        LaunchOptions options = Parse(line);
        Assert.Equal(LaunchAction.Run, options.Action);
        Assert.Equal(64ul << 20, options.Banks.Top);
        Assert.Equal("vmlinux", options.Kernel);
        Assert.Equal("rootfile", Assert.IsType<BlockOption>(Assert.Single(options.Devices)).Path);
        Assert.Equal("rd", options.Initrd);
        Assert.Equal("root=/dev/lgba quiet", options.GuestCommandLine);
    }

    /// <summary>From its first plain word on, the guest's command line is left alone.</summary>
    [Theory]
    [InlineData("64 vmlinux root=/dev/lgba --verbose -- single", "root=/dev/lgba --verbose -- single")]
    [InlineData("64 vmlinux -- --verbose single", "--verbose single")]
    [InlineData("64 vmlinux -- -- x", "-- x")]
    [InlineData("-- 64 vmlinux --block=x", "--block=x")]
    [InlineData("64 vmlinux -", "-")]
    [InlineData("64 vmlinux", "")]
    [InlineData("64 vmlinux --no-reboot", "")]
    public void TheGuestsWordsAreItsOwn(string line, string expected) => Assert.Equal(expected, Parse(line).GuestCommandLine);

    /// <summary>What follows the folder's name, in any order; other commas are part of it.</summary>
    [Theory]
    [InlineData("--share=a", "a", "share", false)]
    [InlineData("--share=a,ro", "a", "share", true)]
    [InlineData("--share=a,tag=b", "a", "b", false)]
    [InlineData("--share=a,ro,tag=b", "a", "b", true)]
    [InlineData("--share=a,tag=b,ro", "a", "b", true)]
    [InlineData("--share=a,b,c=d,ro", "a,b,c=d", "share", true)]
    public void AShareHasANameAndATag(string word, string path, string tag, bool readOnly)
    {
        ShareOption share = Assert.IsType<ShareOption>(Assert.Single(Parse($"64 vmlinux {word}").Devices));
        Assert.Equal((path, tag, readOnly), (share.Path, share.Tag, share.ReadOnly));
    }

    /// <summary>Disks keep their order; ,ro is not part of the name.</summary>
    [Fact]
    public void DisksKeepTheirOrder()
    {
        LaunchOptions options = Parse("--block=a,ro 64 vmlinux --block=b --block=c,d --block=,x,ro");
        Assert.Equal([new BlockOption("a", true), new("b", false), new("c,d", false), new(",x", true)], options.Devices.OfType<BlockOption>());
    }

    /// <summary>Where writes go is not part of the name either; a comma may be.</summary>
    [Fact]
    public void WritesGoElsewhere()
    {
        LaunchOptions options = Parse("64 vmlinux --block=a,b,overlay=c,d --block=a,snapshot --block=snapshot");
        Assert.Equal([new BlockOption("a,b", false) { Overlay = "c,d" }, new("a", false) { IsSnapshot = true }, new("snapshot", false)], options.Devices.OfType<BlockOption>());
    }

    /// <summary>Switches and values.</summary>
    [Fact]
    public void OptionsTakeEffect()
    {
        LaunchOptions options = Parse("-v --no-reboot --engine=interpreter 64 vmlinux");
        Assert.True(options.Verbose);
        Assert.True(options.NoReboot);
        Assert.Equal(EngineKind.Interpreter, options.Engine);
        options = Parse("64 vmlinux");
        Assert.False(options.Verbose);
        Assert.False(options.NoReboot);
        Assert.Equal(EngineKind.Auto, options.Engine);
        Assert.Equal(EngineKind.Auto, Parse("--engine=auto 64 vmlinux").Engine);
        Assert.Equal(EngineKind.Check, Parse("--engine=check 64 vmlinux").Engine);
    }

    /// <summary>Help and version need nothing else, and forgive what stands behind them.</summary>
    [Theory]
    [InlineData("--help", LaunchAction.Help)]
    [InlineData("-h", LaunchAction.Help)]
    [InlineData("64 vmlinux --help --nonsense", LaunchAction.Help)]
    [InlineData("--version", LaunchAction.Version)]
    public void HelpAndVersionComeFirst(string line, LaunchAction action) => Assert.Equal(action, Parse(line).Action);

    /// <summary>Mistakes, and what is said of them.</summary>
    [Theory]
    [InlineData("", "how much memory, and which kernel?")]
    [InlineData("--verbose", "how much memory, and which kernel?")]
    [InlineData("64", "which kernel?")]
    [InlineData("64 --verbose", "which kernel?")]
    [InlineData("--frob 64 vmlinux", "there is no option --frob;")]
    [InlineData("--frob=1 64 vmlinux", "there is no option --frob;")]
    [InlineData("64 vmlinux -x", "there is no option -x;")]
    [InlineData("64 vmlinux -vv", "there is no option -vv;")]
    [InlineData("--verbose=yes 64 vmlinux", "--verbose takes no value")]
    [InlineData("64 vmlinux --block", "--block needs a value: --block=FILE[,HOW]")]
    [InlineData("64 vmlinux --block=", "--block needs the name of a file")]
    [InlineData("64 vmlinux --block=,ro", "--block needs the name of a file")]
    [InlineData("64 vmlinux --block=a,overlay=", "overlay= needs the name of a file")]
    [InlineData("64 vmlinux --block=,overlay=b", "--block needs the name of a file")]
    [InlineData("64 vmlinux --block=a,ro,overlay=b", "ro does not go with overlay=; give one of the two")]
    [InlineData("64 vmlinux --block=a,overlay=b,ro", "ro does not go with overlay=; give one of the two")]
    [InlineData("64 vmlinux --block=a,overlay=b,rw", "there is no ,rw")]
    [InlineData("64 vmlinux --block=a,snapshot,ro", "snapshot does not go with ro; give one of the two")]
    [InlineData("64 vmlinux --initrd=", "--initrd needs the name of a file or folder")]
    [InlineData("64 vmlinux --initrd=a --initrd=b", "--initrd is given twice ('a' and 'b')")]
    [InlineData("--engine=kvm 64 vmlinux", "there is no engine 'kvm'")]
    [InlineData("--engine= 64 vmlinux", "there is no engine ''")]
    [InlineData("64 vmlinux --tunnet=nowhere", "'nowhere' is no IPv4 address")]
    [InlineData("64 vmlinux --sharenet=", "--sharenet needs the name of a file")]
    [InlineData("64 vmlinux --pcap=a --pcap=b", "--pcap is given twice ('a' and 'b')")]
    [InlineData("vmlinux 64", "'vmlinux' is no memory size; memory comes first: lguest 64 vmlinux")]
    [InlineData("vmlinux bzImage", "'vmlinux' is no memory size; write")]
    [InlineData("--report 64m vmlinux", "--report took '64m' as its value; write --report=FILE.html 64m vmlinux")]
    [InlineData("--block 64m vmlinux quiet", "--block took '64m' as its value; write --block=FILE[,HOW] 64m vmlinux")]
    [InlineData("--initrd vmlinux 64m", "(--initrd took 'vmlinux' as its value; if it was not meant so, write --initrd=FILE|DIR)")]
    [InlineData("--report 64m", "(--report took '64m' as its value;")]
    [InlineData("--gdb= 64m vmlinux", "--gdb= has nothing after its '='; write --gdb, or --gdb=HOST:PORT|unix:PATH")]
    [InlineData("--stats=,format=json 64m vmlinux", "names no file before its comma; write --stats=FILE,format=json, or --stats,format=json for standard error")]
    [InlineData("--stats,format=xml 64m vmlinux", "there is no format=xml")]
    [InlineData("--trace=all,format=xml 64m vmlinux", "there is no format=xml; format=text (the default) and format=json are")]
    [InlineData("--block=x,rw 64m vmlinux", "there is no ,rw; a disk is writable unless ,ro makes it read-only")]
    [InlineData("--share= 64 vmlinux", "--share needs the name of a folder")]
    [InlineData("--share=,ro 64 vmlinux", "--share needs the name of a folder")]
    [InlineData("--share=a,rw 64 vmlinux", "there is no ,rw; a share is writable unless ,ro makes it read-only")]
    [InlineData("--share=a,tag= 64 vmlinux", "a tag has 1 to 31 letters")]
    [InlineData("--share=a,tag=b/c 64 vmlinux", "a tag has 1 to 31 letters")]
    [InlineData("--share=a --share=b 64 vmlinux", "the shares 'a' and 'b' have the same tag 'share', and the guest could mount only one; give one of them another: --share=b,tag=NAME")]
    public void MistakesGetASentence(string line, string words)
    {
        LaunchException error = Assert.Throws<LaunchException>(() => Parse(line));
        Assert.Contains(words, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    /// <summary>The help names every option, by the alphabet, and every exit status.</summary>
    [Fact]
    public void TheHelpIsComplete()
    {
        string help = HelpText.Whole();
        int last = 0;
        foreach (LaunchOption option in OptionTable.All)
        {
            int at = help.IndexOf("  --" + option.Name, StringComparison.Ordinal);
            if (at < 0)
                at = help.IndexOf($"  -{option.Letter}, --{option.Name}", StringComparison.Ordinal);
            Assert.True(at > last, option.Name);
            last = at;
        }

        Assert.Equal(OptionTable.All.Select(option => option.Name).Order(StringComparer.Ordinal), OptionTable.All.Select(option => option.Name));
        foreach (string status in (string[])["  0    ", "  1    ", "  2    ", "128+n", "141"])
            Assert.Contains(status, help, StringComparison.Ordinal);
        Assert.Contains("Examples:", help, StringComparison.Ordinal);
    }

    /// <summary>The examples in the help are command lines that parse.</summary>
    [Fact]
    public void TheExamplesInTheHelpAreRight()
    {
        string[] examples = [.. HelpText.Whole().Split('\n').Where(line => line.StartsWith("  lguest ", StringComparison.Ordinal))];
        Assert.Equal(5, examples.Length);
        foreach (string example in examples)
            Assert.NotEqual(string.Empty, Parse(example["  lguest ".Length..]).Kernel);
    }

    private static LaunchOptions Parse(string line) =>
        CommandLineParser.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries));
}
