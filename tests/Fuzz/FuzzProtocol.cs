// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Tests.Fuzz;

/// <summary>What the process that runs cases tells the one that started it: lines on standard output.</summary>
internal static class FuzzProtocol
{
    /// <summary>Cases so far, milliseconds, and cases kept.</summary>
    public const string Progress = "progress";

    /// <summary>A find: the file that holds it, and what happened.</summary>
    public const string Find = "find";

    /// <summary>It ends itself: why.</summary>
    public const string Killed = "killed";

    /// <summary>Nothing more comes.</summary>
    public const string Done = "done";

    private const string Mark = "fuzz: ";
    private static readonly Lock s_lock = new();

    /// <summary>Says something.</summary>
    public static void Say(string kind, params ReadOnlySpan<string> words)
    {
        lock (s_lock)
        {
            Console.Out.Write(Mark + kind + "\t" + string.Join('\t', words!).ReplaceLineEndings(" ") + "\n");
            Console.Out.Flush();
        }
    }

    /// <summary>Understands a line; false when it is something else that was printed.</summary>
    public static bool TryParse(string line, out string[] words)
    {
        words = line.StartsWith(Mark, StringComparison.Ordinal) ? line[Mark.Length..].Split('\t') : [];
        return words.Length > 0;
    }
}
