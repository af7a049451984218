// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text.RegularExpressions;
using Lguest.Tests.Support;
using Tmds.Linux;

namespace Lguest.Tests.Architecture;

/// <summary>Calls of the C library come from Tmds.LibC; what it lacks is declared here, once and with the reason.</summary>
public sealed partial class NativeCallTests
{
    [Fact]
    public void NothingIsDeclaredThatTheLibraryHas() => Rule.Holds(
        "Calls that Tmds.LibC has are not declared again:",
        Declarations().Where(static call => typeof(LibC).GetMethods().Any(method => method.Name == call.Name)).Select(static call => $"{call.Place} declares {call.Name}"));

    [Fact]
    public void EachCallIsDeclaredOnce() => Rule.Holds(
        "A call that Tmds.LibC lacks is declared in one place:",
        Declarations().GroupBy(static call => call.Name).Where(static calls => calls.Count() > 1).Select(static calls => $"{calls.Key}: {string.Join(", ", calls.Select(static call => call.Place))}"));

    /// <summary>A declaration has its reason above it, or its class has.</summary>
    [Fact]
    public void EachDeclarationHasItsReason() => Rule.Holds(
        "A file that declares calls of its own says that Tmds.LibC lacks them:",
        SourceTree.Product.SelectMany(SourceTree.CSharp)
            .Where(static file => Declaration().IsMatch(file.Text) && !file.Text.Contains("Tmds.LibC", StringComparison.Ordinal))
            .Select(static file => file.Path));

    /// <summary>The files that this looks at are those with calls of their own: there are some.</summary>
    [Fact]
    public void DeclarationsAreFound() => Assert.Contains(Declarations(), static call => call.Name == "timer_settime");

    /// <summary>No library of ours lies beside the program, and none is looked for at each start.</summary>
    [FactNeeding(Need.Launcher)]
    public void ANativeProgramIsOneFile()
    {
        if (Needs.IsNative)
            Assert.Empty(Directory.GetFiles(Needs.OutDirectory, "*.so"));
        Rule.Holds(
            "No project of the product needs Mono.Posix, which has a native library of its own:",
            SourceTree.Product.Where(static project => SourceTree.Get($"{project}/{project}.csproj").Text.Contains("Mono.Posix", StringComparison.Ordinal)));
    }

    private static IEnumerable<(string Name, string Place)> Declarations() =>
        SourceTree.Product.SelectMany(SourceTree.CSharp)
            .SelectMany(static file => Declaration().Matches(file.Text).Select(match => (match.Groups[1].Value, file.Place(match.Index))));

    [GeneratedRegex(@"\[(?:LibraryImport|DllImport)\([^\n]*\n(?:\s*\[[^\n]*\n)*[^\n(]*?(\w+)\(")]
    private static partial Regex Declaration();
}
