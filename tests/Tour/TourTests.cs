// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Tests.Architecture;

namespace Lguest.Tests.Tour;

/// <summary>The tour is whole, and its page is what the comments say now.</summary>
public sealed class TourTests
{
    private static readonly TourChapter[] s_chapters = [new('A', "Alpha", "How it begins."), new('B', "Beta", "How it ends.")];

    [Fact]
    public void ThePageIsWhatTheCommentsSay()
    {
        List<string> faults = [];
        string page = TourPage.Of(SourceTree.All, TourChapter.All, faults, TourChapter.Threads);
        Rule.Holds("The tour has no gaps and no clashes:", faults);
        string[] written = SourceTree.Get(TourPage.Path).Text.Split('\n');
        string[] now = page.Split('\n');
        int line = written.Zip(now).TakeWhile(static pair => pair.First == pair.Second).Count();
        Assert.True(page == SourceTree.Get(TourPage.Path).Text, $"{TourPage.Path}:{line + 1} is not what the comments say now: 'make tour' writes it anew\n  it has:    {written.ElementAtOrDefault(line)}\n  should be: {now.ElementAtOrDefault(line)}");
    }

    [Fact]
    public void AStopHasItsTextItsCodeAndItsPlace()
    {
        string page = Page(
            new SourceFile("x/One.cs", "namespace X;\n\n// [A:100+2] The start\n/// <summary>What <see cref=\"Two.Three(int)\"/> of <c>_a*</c> does. See [B:100].</summary>\n/// <param name=\"p\">no</param>\npublic static class One\n{\n    private int _x;\n}\n"),
            new SourceFile("x/two.c", "static int two(void)\n{\n\t/* [B:100+9] The end\n\t * In C,\n\t * with two lines. */\n\treturn 0;\n}\n"),
            new SourceFile("x/three.S", "three:\n\tnop\n\t/* [B:110] Last\n\t * Words. */\n\tiret\n"));
        Assert.Contains("\n### A:100 The start\n\n[x/One.cs](../x/One.cs)\n\nWhat `Three` of `_a*` does. See [B:100](#b100-the-end).\n\n```csharp\npublic static class One\n{\n…\n```\n", page, StringComparison.Ordinal);
        Assert.Contains("\n### B:100 The end\n\n[x/two.c](../x/two.c)\n\nIn C, with two lines.\n\n```c\nreturn 0;\n```\n", page, StringComparison.Ordinal);
        Assert.Contains("\n### B:110 Last\n\n[x/three.S](../x/three.S)\n\nWords.\n", page, StringComparison.Ordinal);
        Assert.DoesNotContain("param", page, StringComparison.Ordinal);
    }

    [Fact]
    public void AMemberIsNamed()
    {
        string page = Page(
            new SourceFile("x/One.cs", "public sealed unsafe partial class One\n{\n    // [A:100] Inside\n    // Text.\n    public override CpuExit Run(int a) => 1;\n\n    private void Other(\n        int b)\n    {\n        if (b)\n        {\n            // [B:100] Deep\n            // Text.\n            return;\n        }\n    }\n}\n"));
        Assert.Contains("[x/One.cs](../x/One.cs) · `Run`\n", page, StringComparison.Ordinal);
        Assert.Contains("[x/One.cs](../x/One.cs) · `Other`\n", page, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("// [A:100] One\n// Text.\n\n// [B:100] Two\n// Text.\n\n// [B:100] Three\n// Text.\n", "B:100 is there 2 times: x.cs:4, x.cs:7")]
    [InlineData("// [A:100] One\n// Text.\n", "chapter B, Beta, does not begin at B:100: it has no stop")]
    [InlineData("// [A:100] One\n// Text.\n\n// [B:110] Two\n// Text.\n", "chapter B, Beta, does not begin at B:100: its first stop is 110")]
    [InlineData("// [A:100] One\n// Text.\n\n// [B:100] Two\nclass X;\n", "x.cs:4: B:100 has no text")]
    [InlineData("// [A:100] One\n// Text, and see [A:105].\n\n// [B:100] Two\n// Text.\n", "x.cs:1: there is no A:105 to refer to")]
    [InlineData("// [A:100] One\n// Text.\n\n// [B:100] Two\n// Text.\n\n// [C:100] Three\n// Text.\n", "x.cs:7: C:100 is of no chapter; there are A Alpha, B Beta")]
    [InlineData("// [A:100] One\n// Text.\n\n// [B:100] Two\n// Text.\n\n// [B:12] Three\n// Text.\n", "x.cs:7: a marker is [X:123] or [X:123+4], first in its comment, and a title follows")]
    [InlineData("// [A:100] One\n// Text.\n\n// [B:100]\n// Text.\n", "x.cs:4: a marker is [X:123] or [X:123+4], first in its comment, and a title follows")]
    [InlineData("// [A:100] One\n// Text.\n\n// [B:100+3] Two\n// Text.\n", "x.cs:4: B:100 shows code, and there is none after it")]
    public void WhatIsWrongIsNamed(string source, string fault)
    {
        List<string> faults = [];
        TourPage.Of([new SourceFile("x.cs", source)], s_chapters, faults);
        Assert.Contains(fault, faults);
    }

    private static string Page(params SourceFile[] files)
    {
        List<string> faults = [];
        string page = TourPage.Of(files, s_chapters, faults);
        Assert.Empty(faults);
        return page;
    }
}
