// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Launcher.Kernel;
using Lguest.Launcher.Run;
using Lguest.Tests.Support;

namespace Lguest.Tests.Launcher;

/// <summary>The name of a root disk that is another release's.</summary>
public sealed class NameNotesTests
{
    [Theory]
    [InlineData("4.9.154", "root=/dev/lgba", "instead of root=/dev/lgba it needs root=/dev/vda")]
    [InlineData("4.9.154", "quiet root=/dev/lgbb1 rw", "instead of root=/dev/lgbb1 it needs root=/dev/vdb1")]
    [InlineData("4.9.154", "root=/dev/vda", null)]
    [InlineData("4.9.154", "init=/dev/lgba", null)]
    public void AnotherReleasesNameGetsANote(string release, string words, string? end)
    {
        using TemporaryDirectory directory = new();
        KernelImage kernel = KernelLoader.Load(directory.File("bzImage", new TestBootImage { Release = release }.Build()), 64 << 20);
        IEnumerable<string> notes = NameNotes.Of(kernel, words);
        if (end == null)
            Assert.Empty(notes);
        else
            Assert.EndsWith(end, Assert.Single(notes), StringComparison.Ordinal);
    }
}
