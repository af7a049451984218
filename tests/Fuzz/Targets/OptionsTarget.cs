// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using Lguest.Launcher.Common;
using Lguest.Launcher.Options;

namespace Lguest.Tests.Fuzz.Targets;

/// <summary>Command lines, a word a line. They are understood, or refused with one sentence.</summary>
internal sealed class OptionsTarget : IFuzzTarget
{
    public IEnumerable<byte[]> Seeds
    {
        get
        {
            string[] lines =
            [
                "64m vmlinux root=/dev/lgba quiet", "--block=disk.img --block=b,ro 64m@0,64m@0x8000000 vmlinux --initrd=rd", "-v -- 64 vmlinux -- x",
                "--tunnet=192.168.19.1/24,mac=02:00:12:34:00:00 16m k", "--tunnet=bridge:br0 16m k", "--tunnet=tap:tap0 16m k", "--usernet 16m k",
                "--usernet=10.0.2.15/24,tcp=8080:80,udp=53,mac=02:00:00:01:00:00 16m k", "--sharenet=lan,mac=02:00:00:02:00:00 16m k",
                "--gdb=127.0.0.1:1234 --gdb-wait 16m k", "--gdb=[::1]:99 16m k", "--gdb=unix:/x --control=unix:/y 16m k", "--stats=f,format=json 16m k",
                "--trace=hypercalls,mmu,file=x,format=json 16m k", "--trace=off,file=x 16m k", "--timeout=1.5m --eof=poweroff --exit-status 16m k",
                "--console=unix:c 16m k", "--console=pty 16m k", "--report=r --coredump=c --symbols=s --pcap=p 0x4000000 k", "--engine=check --sandbox=off --no-reboot 1g k", "--help",
            ];
            return lines.Select(line => Encoding.UTF8.GetBytes(line.Replace(' ', '\n')));
        }
    }

    public IReadOnlyList<byte[]> Words { get; } =
    [
        .. OptionTable.All.Select(option => Encoding.ASCII.GetBytes("\n--" + option.Name)), .. OptionTable.All.Select(option => Encoding.ASCII.GetBytes($"\n--{option.Name}=")),
        .. ((string[])["mac=", "tcp=", "udp=", "unix:", "tap:", "bridge:", "format=json", "file=", ",ro", "@", "/24", "0x", ":", ",", "=", "\n64m\nk", "ms", "s", "d", "1e9", "NaN", "4294967295", "99999999999999999999", "m", "g", "k", "-1", "é"])
            .Select(Encoding.UTF8.GetBytes),
    ];

    public int LongestCase => 600;

    public ulong Run(byte[] bytes)
    {
        string[] words = Encoding.UTF8.GetString(bytes).Split('\n');
        Signature signature = new();
        try
        {
            LaunchOptions options = CommandLineParser.Parse(words);
            signature.Add((ulong)options.Action);
            ulong named = 0;
            foreach (string word in words)
            {
                if (word.StartsWith("--", StringComparison.Ordinal) && OptionTable.Find(word[2..].Split('=', ',')[0]) is { } option)
                    named |= 1UL << (OptionTable.All.TakeWhile(other => other != option).Count() % 64);
            }

            signature.Add(named);
            signature.AddCount(options.Warnings.Count);
        }
        catch (LaunchException refusal)
        {
            if (refusal.Message.Length == 0 || refusal.Message.Contains('\n', StringComparison.Ordinal))
                throw new FuzzFindException($"a refusal is no sentence: {refusal.Message}");
            signature.AddSentence(refusal.Message);
        }

        return signature.Value;
    }
}
