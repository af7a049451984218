// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Inspect.Common;

/// <summary>Which lguest this is: the version of Directory.Build.props, and the commit it was built from where git knew.</summary>
public static partial class ProgramVersion
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
        int plus = Informational.IndexOf('+', StringComparison.Ordinal);
        return plus < 0 ? (Informational, string.Empty) : (Informational[..plus], Informational[(plus + 1)..Math.Min(Informational.Length, plus + 1 + ShortCommit)]);
    }
}
