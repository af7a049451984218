// SPDX-License-Identifier: GPL-2.0-or-later
using System.Security.Cryptography;

namespace Lguest.Tests.Fuzz;

/// <summary>Case files: the bytes of a case, under the target's name and a hash of the bytes.</summary>
internal static class FuzzCases
{
    private const int HashDigits = 12;

    /// <summary>Those that come with the tests.</summary>
    public static string Folder => Path.Combine(AppContext.BaseDirectory, "Fuzz", "cases");

    /// <summary>Writes one.</summary>
    /// <returns>Its path.</returns>
    public static string Write(string folder, string target, byte[] bytes)
    {
        string path = Path.Combine(folder, $"{target}-{Convert.ToHexStringLower(SHA256.HashData(bytes))[..HashDigits]}");
        Directory.CreateDirectory(folder);
        File.WriteAllBytes(path, bytes);
        return path;
    }

    /// <summary>The files of a target.</summary>
    public static IReadOnlyList<string> Of(string folder, string target) =>
        [.. Directory.EnumerateFiles(folder).Where(path => TargetOf(path) == target).Order(StringComparer.Ordinal)];

    /// <summary>Which target a file is for; null when its name says none.</summary>
    public static string? TargetOf(string path)
    {
        string name = Path.GetFileName(path);
        int dash = name.LastIndexOf('-');
        return dash > 0 && FuzzTargets.Find(name[..dash]) is { } target ? target.Name : null;
    }
}
