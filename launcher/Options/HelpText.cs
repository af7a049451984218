// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;

namespace Lguest.Launcher.Options;

/// <summary>What <c>lguest --help</c> prints; the manual page is made of the same parts.</summary>
public static class HelpText
{
    /// <summary>The line that says it all.</summary>
    public const string Usage = "lguest [OPTIONS] MEMORY KERNEL [OPTIONS] [WORDS FOR THE GUEST...]";

    /// <summary>Where options may stand.</summary>
    public const string WhereOptionsStand =
        "Options come before MEMORY or right after KERNEL; -- ends them. From the first plain word after KERNEL on, everything is the guest's command line.";

    /// <summary>Column at which explanations begin.</summary>
    private const int Column = 22;

    /// <summary>Column at which lines end.</summary>
    private const int Width = 80;

    /// <summary>What the program is for, and its plain words, a paragraph each.</summary>
    public static IReadOnlyList<string> Introduction { get; } =
    [
        "Runs a paravirtual i386 Linux guest (2.6.23 to 4.13, CONFIG_LGUEST_GUEST) without KVM, root or kernel modules.",
        "MEMORY is a size (64m, 0x4000000, 1g; a bare number below 65536 means MiB, any other bytes), or banks with their addresses: 64m@0,64m@0x8000000. KERNEL is a vmlinux or a bzImage.",
    ];

    /// <summary>Exit statuses and what they mean.</summary>
    public static IReadOnlyList<(string Status, string Meaning)> Statuses { get; } =
    [
        ("0", "the guest powered itself off, or restarted under --no-reboot"),
        ("1", "the guest died, or could not be started: standard error says why"),
        ("2", "^C was pressed three times within about a second"),
        ("124", "the time of --timeout was up"),
        ("N", "with --exit-status: what the guest reported before it powered itself off"),
        ("128+n", "ended by signal n: 129 SIGHUP, 130 SIGINT, 131 SIGQUIT, 143 SIGTERM; 141 when nobody reads the output"),
    ];

    /// <summary>Command lines that work.</summary>
    public static IReadOnlyList<string> Examples { get; } =
    [
        "lguest 64m vmlinux --block=rootfile root=/dev/lgba",
        "lguest --initrd=initrd.gz 64 bzImage quiet",
        "lguest --tunnet=192.168.19.1/24 64m vmlinux --initrd=initrd.gz",
        "lguest --sharenet=lan 64m vmlinux --initrd=initrd.gz",
        "lguest --block=disk.img --block=data.img,ro 64m vmlinux root=/dev/lgba",
    ];

    /// <summary>The whole help, from the option table.</summary>
    public static string Whole()
    {
        StringBuilder text = new();
        text.Append($"Usage: {Usage}\n       lguest net FILE\n       lguest ctl PATH COMMAND\n\n");
        foreach (string paragraph in Introduction)
            Wrapped(text, paragraph, 0).Append('\n');
        text.Append("Options:\n");
        foreach (LaunchOption option in OptionTable.All)
            Entry(text, Written(option), option.Help);
        Wrapped(text.Append('\n'), WhereOptionsStand, 0);
        text.Append("\nExit status:\n");
        foreach ((string status, string meaning) in Statuses)
            Entry(text, status, meaning);
        text.Append("\nStandard output carries the guest's console and nothing else.\n\nExamples:\n");
        foreach (string example in Examples)
            text.Append($"  {example}\n");
        return text.Append("\nThe manual page lguest(1) and the folder docs/ have more.\n").ToString();
    }

    /// <summary>An option as it is typed: <c>-v, --verbose</c>, <c>--gdb[=HOST:PORT]</c>.</summary>
    public static string Written(LaunchOption option) =>
        $"{(option.Letter == '\0' ? string.Empty : $"-{option.Letter}, ")}--{option.Name}{ValueOf(option)}";

    /// <summary>The value as the help names it, with its equals sign; empty for an option without one.</summary>
    public static string ValueOf(LaunchOption option) =>
        option.ValueName == null ? string.Empty : option.ValueOptional ? $"[={option.ValueName}]" : $"={option.ValueName}";

    private static void Entry(StringBuilder text, string left, string right)
    {
        text.Append("  ").Append(left);
        int at = 2 + left.Length;
        if (at >= Column)
        {
            text.Append('\n');
            at = 0;
        }

        text.Append(' ', Column - at);
        Wrapped(text, right, Column);
    }

    /// <summary>Words, the first at the column where the text stands, all others at it too.</summary>
    private static StringBuilder Wrapped(StringBuilder text, string words, int column)
    {
        int at = column;
        foreach (string word in words.Split([' ', '\n']))
        {
            if (at > column && at + 1 + word.Length > Width)
            {
                text.Append('\n').Append(' ', column);
                at = column;
            }
            else if (at > column)
            {
                text.Append(' ');
                at++;
            }

            text.Append(word);
            at += word.Length;
        }

        return text.Append('\n');
    }
}
