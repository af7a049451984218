// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;

namespace Lguest.Launcher.Options;

/// <summary>What <c>lguest --help</c> says.</summary>
public static class HelpText
{
    /// <summary>The line that says it all.</summary>
    public const string Usage = "lguest [OPTIONS] MEMORY KERNEL [OPTIONS] [WORDS FOR THE GUEST...]";

    /// <summary>Column at which explanations begin.</summary>
    private const int Column = 22;

    /// <summary>The whole help, from the option table.</summary>
    public static string Whole()
    {
        StringBuilder text = new();
        text.Append($"Usage: {Usage}\n       lguest net FILE\n       lguest ctl PATH COMMAND\n");
        text.Append("""
            Runs a paravirtual i386 Linux guest (2.6.23, CONFIG_LGUEST_GUEST), without any help from the host's kernel.

            MEMORY is a size (64m, 0x4000000, 1g; a bare number below 65536 means MiB, any other bytes), or banks with their
            addresses: 64m@0,64m@0x8000000. KERNEL is a vmlinux or a gzip-compressed bzImage.

            Options, before MEMORY or behind KERNEL (-- ends them):

            """);
        foreach (LaunchOption option in OptionTable.All)
        {
            string letter = option.Letter == '\0' ? string.Empty : $"-{option.Letter}, ";
            string left = $"  {letter}--{option.Name}{ValueOf(option)}";
            if (left.Length >= Column)
                left += '\n' + new string(' ', Column);
            text.Append(left.PadRight(Column)).Append(option.Help.Replace("\n", "\n" + new string(' ', Column), StringComparison.Ordinal)).Append('\n');
        }

        text.Append("""

            Exit status:
              0    the guest powered itself off, or restarted under --no-reboot
              1    the guest died, or could not be started: standard error says why
              2    ^C was pressed three times within about a second
              128+n  ended by signal n: 129 SIGHUP, 130 SIGINT, 131 SIGQUIT, 143 SIGTERM; 141 when nobody reads the output

            Standard output carries the guest's console and nothing else.

            Examples:
              lguest 64m vmlinux --block=rootfile root=/dev/lgba
              lguest --initrd=initrd.gz 64 bzImage quiet
              lguest --tunnet=192.168.19.1/24 64m vmlinux --initrd=initrd.gz
              lguest --sharenet=lan 64m vmlinux --initrd=initrd.gz
              lguest --block=disk.img --block=data.img,ro 128m@0,128m@0x10000000 vmlinux root=/dev/lgba

            """);
        return text.ToString();
    }

    private static string ValueOf(LaunchOption option) =>
        option.ValueName == null ? string.Empty : option.ValueOptional ? $"[={option.ValueName}]" : $"={option.ValueName}";
}
