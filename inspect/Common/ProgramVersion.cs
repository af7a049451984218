// SPDX-License-Identifier: GPL-2.0-or-later
using System.Reflection;

namespace Lguest.Inspect.Common;

/// <summary>Which lguest this is: the version of Directory.Build.props, and the commit it was built from where git knew.</summary>
public static class ProgramVersion
{
    /// <summary>Three numbers: 0.2.0; on the way to them 0.2.0-dev.</summary>
    public static string Number => Split().Number;

    /// <summary>What <c>--version</c> prints: <c>0.2.0 (1a2b3c4d5e6f)</c>.</summary>
    public static string Whole
    {
        get
        {
            (string number, string commit) = Split();
            return commit.Length == 0 ? number : $"{number} ({commit})";
        }
    }

    private static (string Number, string Commit) Split()
    {
        const int ShortCommit = 12;
        string whole = typeof(ProgramVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "?";
        int plus = whole.IndexOf('+', StringComparison.Ordinal);
        return plus < 0 ? (whole, string.Empty) : (whole[..plus], whole[(plus + 1)..Math.Min(whole.Length, plus + 1 + ShortCommit)]);
    }
}
