// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine;
using Lguest.Launcher.Common;

namespace Lguest.Launcher.Options;

/// <summary>The options, in one table: the parser goes by it, and the help is printed from it, so they cannot disagree.</summary>
public static class OptionTable
{
    /// <summary>Every option, by the alphabet.</summary>
    public static IReadOnlyList<LaunchOption> All { get; } = Sorted(
    [
        new("console", '\0', "WHERE", "where the guest's console is, in place of standard input and output:\nFILE takes its output (input stays standard input), unix:PATH a client's\nconnection, pty a new pseudo-terminal",
            static (options, value) => options.Console = ConsoleOption.Parse(value)),
        new("engine", '\0', "NAME", $"what runs the guest: auto (the fastest available; the default),\n{EngineHelp()}", SetEngine,
            Choices: ["auto", .. EngineRegistry.Default.Entries.Select(static engine => engine.Name)]),
        new("eof", '\0', "ACTION", "when standard input ends: ignore it (the default), or poweroff: type ^D,\nand end a guest that then sleeps for two seconds without a word", SetEof,
            Choices: ["ignore", "poweroff"]),
        new("exit-status", '\0', null, "the guest gives the exit status: by a line 'lguest: exit status N' on its\nconsole, or as a kernel's last words; a power-off without one is status 1",
            static (options, _) => options.GuestReportsStatus = true),
        new("help", 'h', null, "show this, and exit", static (options, _) => options.Action = LaunchAction.Help),
        new("initrd", '\0', "FILE|DIR", "an initial RAM disk for the guest's kernel; what is in a folder DIR\nis packed into one, as root's", SetInitrd),
        new("no-reboot", '\0', null, "exit with status 0 when the guest restarts, instead of starting\nit over from its kernel image", static (options, _) => options.NoReboot = true),
        new("pcap", '\0', "FILE", "write the packets of all network devices to a pcapng file, for\nWireshark and tcpdump", SetCapture),
        new("sandbox", '\0', "on|off", "confine the launcher, in case a guest gets out of its engine: no\nprivileges, no files except open ones, few system calls; on by\ndefault (off is for debugging the launcher)", SetSandbox),
        new("timeout", '\0', "DURATION", "end the guest after that long, with status 124: 90s, 5m, 1h; the disks are saved", static (options, value) => options.Timeout = Duration.Parse("timeout", value)),
        new("verbose", 'v', null, "draw the guest's memory map, and print more on standard error", static (options, _) => options.Verbose = true),
        .. DebugOptionTable.All,
        .. DeviceOptionTable.All,
        new("version", '\0', null, "show the version, and exit", static (options, _) => options.Action = LaunchAction.Version),
    ]);

    /// <summary>The option of that name, or null.</summary>
    public static LaunchOption? Find(string name)
    {
        foreach (LaunchOption option in All)
        {
            if (option.Name == name)
                return option;
        }

        return null;
    }

    /// <summary>The option of that letter, or null.</summary>
    public static LaunchOption? Find(char letter)
    {
        foreach (LaunchOption option in All)
        {
            if (letter != '\0' && option.Letter == letter)
                return option;
        }

        return null;
    }

    private static LaunchOption[] Sorted(LaunchOption[] options)
    {
        Array.Sort(options, static (a, b) => string.CompareOrdinal(a.Name, b.Name));
        return options;
    }

    private static void SetCapture(LaunchOptions options, string value)
    {
        if (value.Length == 0)
            throw new LaunchException("--pcap needs the name of a file: --pcap=FILE");
        if (options.Capture != null)
            throw new LaunchException($"--pcap is given twice ('{options.Capture}' and '{value}'); one file holds all interfaces");
        options.Capture = value;
    }

    private static void SetEof(LaunchOptions options, string value) => options.PowerOffAtEndOfInput = value switch
    {
        "ignore" => false,
        "poweroff" => true,
        _ => throw new LaunchException($"there is no --eof={value}; it is ignore or poweroff"),
    };

    private static string EngineHelp()
    {
        string[] engines = [.. EngineRegistry.Default.Entries.Select(static engine => engine.Remark.Length == 0 ? engine.Name : $"{engine.Name} ({engine.Remark})")];
        return $"{string.Join(", ", engines[..^1])} or {engines[^1]}";
    }

    private static void SetEngine(LaunchOptions options, string value)
    {
        IReadOnlyList<EngineEntry> engines = EngineRegistry.Default.Entries;
        options.Engine = value == "auto"
            ? EngineKind.Auto
            : engines.FirstOrDefault(engine => engine.Name == value)?.Kind
                ?? throw new LaunchException($"there is no engine '{value}'; --engine is auto, {string.Join(", ", engines.SkipLast(1).Select(engine => engine.Name))} or {engines[^1].Name}");
    }

    private static void SetSandbox(LaunchOptions options, string value) => options.Sandbox = value switch
    {
        "on" => true,
        "off" => false,
        _ => throw new LaunchException($"--sandbox={value}: give on or off"),
    };

    private static void SetInitrd(LaunchOptions options, string value)
    {
        if (value.Length == 0)
            throw new LaunchException("--initrd needs the name of a file or folder: --initrd=FILE");
        if (options.Initrd != null)
            throw new LaunchException($"--initrd is given twice ('{options.Initrd}' and '{value}'); a kernel has one");
        options.Initrd = value;
    }
}
