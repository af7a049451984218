// SPDX-License-Identifier: GPL-2.0-or-later
using System.Reflection;
using System.Text.RegularExpressions;
using Lguest.Devices.Bus.Dma;
using Lguest.Devices.Native;
using Lguest.GuestAbi;
using Lguest.Launcher.Run;

namespace Lguest.Tests.Architecture;

/// <summary>What holds for the code of each storey.</summary>
public sealed partial class CodeTests
{
    private const BindingFlags Own = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    private static readonly Dictionary<string, string> s_roots = new()
    {
        ["guestabi"] = "Lguest.GuestAbi",
        ["devices"] = "Lguest.Devices",
        ["engine"] = "Lguest.Engine",
        ["inspect"] = "Lguest.Inspect",
        ["launcher"] = "Lguest.Launcher",
    };

    /// <summary>Who reads a name knows where its file is.</summary>
    [Fact]
    public void NamespacesAreFolders() => Rule.Holds(
        "A file's namespace is its folder:",
        from project in SourceTree.Product
        from file in SourceTree.CSharp(project)
        let declared = Declared().Match(file.Text) is { Success: true } match ? match.Groups[1].Value : "none"
        let wanted = s_roots[project] + file.Folder[project.Length..].Replace('/', '.')
        where declared != wanted
        select $"{file.Path}: {declared}, not {wanted}");

    /// <summary>Only the launcher has a user to talk to; the others throw, or are given somebody to say it to.</summary>
    [Fact]
    public void LowerStoreysDoNotPrint() => Rule.Holds(
        "Nothing below the launcher prints or reads the terminal by itself:",
        from project in SourceTree.Product.Except(["launcher"])
        from file in SourceTree.CSharp(project)
        from match in Printing().Matches(file.Text)
        select $"{file.Place(match.Index)}: {match.Value}");

    /// <summary>
    /// The runtime's cryptography is OpenSSL, loaded when it is first used: that ends the process where it is not installed, and in a launcher
    /// that is sealed and opens no more files.
    /// </summary>
    [Fact]
    public void NobodyNeedsOpenSsl() => Rule.Holds(
        "Nothing uses System.Security.Cryptography:",
        from project in SourceTree.Product
        from file in SourceTree.CSharp(project)
        from match in Cryptography().Matches(file.Text)
        select $"{file.Place(match.Index)}: {match.Value}");

    /// <summary>A pointer that others can have is a check that others can forget. Guest memory has one, for engines.</summary>
    [Fact]
    public void PointersStayAtHome()
    {
        Assert.Contains(typeof(GuestMemory).GetMembers(Own), ShowsPointer);
        Rule.Holds(
            "Outside of the engine no public type shows a pointer:",
            from assembly in (Assembly[])[typeof(GuestMemory).Assembly, typeof(DmaBus).Assembly, typeof(GuestLoop).Assembly]
            from type in assembly.GetExportedTypes()
            where type != typeof(GuestMemory)
            from member in type.GetMembers(Own)
            where ShowsPointer(member)
            select $"{type.FullName}.{member.Name}");
    }

    /// <summary>Who goes past guest memory's one check does checks of its own, and says what it writes: engines do, and nobody else.</summary>
    [Fact]
    public void OnlyEnginesGoPastTheCheck()
    {
        Assert.Contains(SourceTree.CSharp("engine"), static file => PastTheCheck().IsMatch(file.Text));
        Rule.Holds(
            "Guest memory's address in the host is for engines:",
            from project in SourceTree.Product
            where project is not "engine" and not "guestabi"
            from file in SourceTree.CSharp(project)
            from match in PastTheCheck().Matches(file.Text)
            select $"{file.Place(match.Index)}: {match.Value}");
    }

    private static bool ShowsPointer(MemberInfo member) => member switch
    {
        FieldInfo field => IsVisible(field.IsPublic, field.IsFamily, field.IsFamilyOrAssembly) && field.FieldType.IsPointer,
        MethodBase method => IsVisible(method.IsPublic, method.IsFamily, method.IsFamilyOrAssembly)
            && (method.GetParameters().Any(static parameter => parameter.ParameterType.IsPointer) || method is MethodInfo { ReturnType.IsPointer: true }),
        _ => false,
    };

    private static bool IsVisible(bool isPublic, bool isFamily, bool isFamilyOrAssembly) => isPublic || isFamily || isFamilyOrAssembly;

    [GeneratedRegex(@"System\.Security\.Cryptography")]
    private static partial Regex Cryptography();

    [GeneratedRegex(@"^namespace ([\w.]+);", RegexOptions.Multiline)]
    private static partial Regex Declared();

    [GeneratedRegex(@"(?<![\w.])(?:System\.)?Console\.(?:Write|Error|Out|In|Read)\w*")]
    private static partial Regex Printing();

    [GeneratedRegex(@"[Mm]emory\.Base\b")]
    private static partial Regex PastTheCheck();
}
