// SPDX-License-Identifier: GPL-2.0-or-later
using System.Xml.Linq;

namespace Lguest.Tests.Architecture;

/// <summary>
/// The storeys of the house: facts of the interface at the bottom, devices and engines side by side on them without seeing each
/// other, what looks into guests above both, and the launcher on top. The compiler keeps what the project files say; these tests keep the project files.
/// </summary>
public sealed class ProjectTests
{
    /// <summary>What each project of the product may refer to: everything that it needs, and nothing more.</summary>
    private static readonly Dictionary<string, string[]> s_references = new()
    {
        ["guestabi"] = [],
        ["devices"] = ["guestabi"],
        ["engine"] = ["guestabi"],
        ["inspect"] = ["guestabi", "devices"],
        ["launcher"] = ["guestabi", "devices", "engine", "inspect"],
    };

    [Fact]
    public void ReferencesPointDownwards() => Rule.Holds(
        "A project refers to lower storeys only:",
        SourceTree.Product.SelectMany(static project => References(project)
            .Except(s_references[project])
            .Select(other => $"{project}/{project}.csproj refers to {other}")));

    /// <summary>A table of references that nobody has is a table that nobody reads.</summary>
    [Fact]
    public void EachReferenceInTheTableIsThere() => Rule.Holds(
        "Each reference of the table above is in its project file:",
        SourceTree.Product.SelectMany(static project => s_references[project]
            .Except(References(project))
            .Select(other => $"{project}/{project}.csproj does not refer to {other}")));

    /// <summary>Facts have no I/O and no libraries.</summary>
    [Fact]
    public void TheLowestStoreyHasNoPackages() => Rule.Holds(
        "guestabi needs no package:",
        Items("guestabi", "PackageReference"));

    /// <summary>A reference that nobody needs any more is a library in the program that nobody asked for.</summary>
    [Fact]
    public void EachPackageIsUsed()
    {
        Dictionary<string, string> namespaces = new() { ["Iced"] = "Iced.Intel", ["SharpZipLib"] = "ICSharpCode", ["Tmds.LibC"] = "Tmds.Linux" };
        Rule.Holds(
            "A project uses the packages that it refers to:",
            from project in SourceTree.Product
            from package in Items(project, "PackageReference")
            where !SourceTree.CSharp(project).Any(file => file.Text.Contains(namespaces[package], StringComparison.Ordinal))
            select $"{project}/{project}.csproj refers to {package}");
    }

    /// <summary>A folder that has become a project belongs into the tables of this test.</summary>
    [Fact]
    public void EveryProjectOfTheProductIsKnown()
    {
        string[] others = ["bench", "nativetests", "tests", "testlogger"];
        IEnumerable<string> projects = SourceTree.All.Where(static file => file.Path.EndsWith(".csproj", StringComparison.Ordinal)).Select(static file => file.Folder);
        Assert.Equal(SourceTree.Product.Concat(others).Order(), projects.Order());
    }

    [Fact]
    public void EveryFolderOfTestsIsDescribed()
    {
        string document = SourceTree.Get("docs/testing.md").Text;
        Rule.Holds("docs/testing.md has a line for each folder of tests:", SourceTree.CSharp("tests").Select(static file => file.Folder.Split('/'))
            .Where(static folder => folder.Length > 1).Select(static folder => $"tests/{folder[1]}").Distinct().Where(folder => !document.Contains($"| `{folder}` |", StringComparison.Ordinal)));
    }

    private static IEnumerable<string> References(string project) =>
        Items(project, "ProjectReference").Select(static path => Path.GetFileNameWithoutExtension(path));

    private static IEnumerable<string> Items(string project, string kind) =>
        XDocument.Parse(SourceTree.Get($"{project}/{project}.csproj").Text).Descendants(kind).Select(static item => item.Attribute("Include")!.Value);
}
