// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Inspect.Common;
using Lguest.Launcher.Common;
using Lguest.Launcher.Memory;

namespace Lguest.Launcher.Options;

/// <summary>
/// Reads the launcher's command line. Two orders are in the world: 2.6.23's launcher took its options before the memory, the
/// one of February 2007 between the kernel and the kernel's own words. Both are understood at once: words that begin with a
/// dash are options until the first plain word after the kernel; from there on all is the guest's, unchanged. <c>--</c> ends
/// the options early, for a guest whose own first word begins with a dash.
/// </summary>
public static class CommandLineParser
{
    /// <summary>Where to look when a command line was not understood.</summary>
    private const string Hint = "(see lguest --help)";

    /// <summary>Understands a command line.</summary>
    /// <exception cref="LaunchException">It makes no sense; the message says where.</exception>
    public static LaunchOptions Parse(IReadOnlyList<string> arguments)
    {
        LaunchOptions options = new();
        string? memory = null;
        string? kernel = null;
        Swallowed? swallowed = null;
        bool optionsEnded = false;
        int next = 0;
        while (next < arguments.Count)
        {
            string word = arguments[next];
            if (!optionsEnded && word.Length > 1 && word[0] == '-')
            {
                next++;
                if (word == "--")
                    optionsEnded = true;
                else
                    next = TakeOption(options, arguments, word, next, ref swallowed);
                if (options.Action != LaunchAction.Run)
                    return options;
            }
            else if (memory == null)
            {
                memory = word;
                next++;
            }
            else if (kernel == null)
            {
                kernel = word;
                next++;
            }
            else
            {
                break;
            }
        }

        if (memory == null)
            throw new LaunchException($"how much memory, and which kernel? Usage: {HelpText.Usage} {swallowed?.Question}{Hint}");
        options.Banks = ParseMemory(memory, kernel, swallowed);
        options.Kernel = kernel ?? throw new LaunchException($"which kernel? It comes after the memory: {HelpText.Usage} {swallowed?.Question}{Hint}");
        options.GuestCommandLine = string.Join(' ', arguments.Skip(next));
        if (!optionsEnded)
            WarnOfOptions(options, arguments.Skip(next));
        return options;
    }

    /// <summary>The memory; where there is none, one look at how the command line could have been meant.</summary>
    private static MemoryBanks ParseMemory(string memory, string? kernel, Swallowed? swallowed)
    {
        try
        {
            return MemoryBanks.Parse(memory);
        }
        catch (LaunchException) when (swallowed is { IsMemory: true } taken)
        {
            throw new LaunchException($"'{memory}' is no memory size: --{taken.Option} took '{taken.Value}' as its value; write --{taken.Option}={taken.Form} {taken.Value} {memory}");
        }
        catch (LaunchException) when (kernel != null && IsMemory(kernel))
        {
            throw new LaunchException($"'{memory}' is no memory size; memory comes first: lguest {kernel} {memory} {Hint}");
        }
    }

    private static bool IsMemory(string word)
    {
        try
        {
            MemoryBanks.Parse(word);
            return true;
        }
        catch (LaunchException)
        {
            return false;
        }
    }

    /// <summary>What looks like an option of ours among the guest's words is the guest's, but was hardly meant for it.</summary>
    private static void WarnOfOptions(LaunchOptions options, IEnumerable<string> words)
    {
        foreach (string word in words)
        {
            if (word.StartsWith("--", StringComparison.Ordinal) && OptionTable.Find(word[2..].Split(['=', ','])[0]) != null)
                options.Warnings.Add($"note: '{word}' comes after the guest's first word, so the guest gets it; to use it here, put it before that word (after --, this note is not printed)");
        }
    }

    private static int TakeOption(LaunchOptions options, IReadOnlyList<string> arguments, string word, int next, ref Swallowed? swallowed)
    {
        bool isLong = word.StartsWith("--", StringComparison.Ordinal);
        int equals = isLong ? ValueMark(word) : -1;
        string name = isLong ? word[2..(equals < 0 ? word.Length : equals)] : word[1..];
        LaunchOption option = (isLong ? OptionTable.Find(name) : name.Length == 1 ? OptionTable.Find(name[0]) : null)
            ?? throw new LaunchException($"there is no option {(equals < 0 ? word : "--" + name)}; words for the guest come after its kernel, and after -- if they begin with a dash {Hint}");

        string value = string.Empty;
        if (option.ValueName == null)
        {
            if (equals >= 0)
                throw new LaunchException($"--{name} takes no value {Hint}");
        }
        else if (equals >= 0)
        {
            value = word[(equals + 1)..];
            if (value.Length == 0 && option.ValueOptional)
                throw new LaunchException($"--{name}= has nothing after its '='; write --{name}, or --{name}={option.ValueName} {Hint}");
        }
        else if (!option.ValueOptional)
        {
            if (next == arguments.Count)
                throw new LaunchException($"--{name} needs a value: --{name}={option.ValueName} {Hint}");
            value = arguments[next++];
            swallowed = new Swallowed(name, option.ValueName, value);
        }

        try
        {
            option.Apply(options, value);
        }
        catch (InspectException nonsense)
        {
            throw new LaunchException(nonsense.Message);
        }

        return next;
    }

    /// <summary>
    /// Where the value begins: after the equals sign, or after the comma of an option that needs no value but takes more
    /// (<c>--usernet,tcp=8080:80</c>).
    /// </summary>
    private static int ValueMark(string word)
    {
        int comma = word.IndexOf(',', StringComparison.Ordinal);
        int equals = word.IndexOf('=', StringComparison.Ordinal);
        bool early = comma >= 0 && (equals < 0 || comma < equals);
        return early && OptionTable.Find(word[2..comma]) is { ValueOptional: true } ? comma : equals;
    }

    /// <summary>An option whose value was the next word, which may have been meant for something else.</summary>
    /// <param name="Option">Its name.</param>
    /// <param name="Form">What kind of value it has.</param>
    /// <param name="Value">The word.</param>
    private sealed record Swallowed(string Option, string Form, string Value)
    {
        /// <summary>Whether the word could have been the guest's memory.</summary>
        public bool IsMemory => CommandLineParser.IsMemory(Value);

        /// <summary>For a command line in which something is missing.</summary>
        public string Question => $"(--{Option} took '{Value}' as its value; if it was not meant so, write --{Option}={Form}) ";
    }
}
