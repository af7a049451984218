// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;

namespace Lguest.Tests.Fuzz.Targets;

/// <summary>Lines for the control socket, a connection each. Each is answered, with ok or error.</summary>
internal sealed class ControlTarget : IFuzzTarget
{
    private readonly FuzzedGuest _guest = new();

    public IEnumerable<byte[]> Seeds
    {
        get
        {
            string[] lines =
            [
                "status\npause\nstatus\nresume", "stats\nlog\nhelp", "trace on hypercalls\ntrace off", "trace on all,format=json\ntrace off", "trace on x,file=/y", "monitor translate 0xc0100000\nmonitor gdt",
                "monitor physical 0 64\nmonitor irq 3", "console\n", "kill\nstatus", "monitor pagetables\nmonitor lguest\nmonitor idt\nmonitor dma\nmonitor devices\nmonitor engine\nmonitor hypercalls",
            ];
            return lines.Select(Encoding.Latin1.GetBytes);
        }
    }

    public IReadOnlyList<byte[]> Words { get; } =
        [.. ((string[])["\n", "monitor ", "trace on ", "physical ", "translate ", "irq ", "0xffffffff", "65536", "-1", "0x", " ", "\0", "\r", "\t", ",", "file=", "stats", "status", "console", "kill", "pause", "resume", "log"]).Select(Encoding.Latin1.GetBytes)];

    public int LongestCase => 5000;

    public ulong Run(byte[] bytes)
    {
        const int mostLines = 8;
        ulong happened = 0;
        int lines = 0;
        foreach (Range range in bytes.AsSpan().Split((byte)'\n'))
        {
            ReadOnlySpan<byte> line = bytes.AsSpan(range);
            string text = Encoding.Latin1.GetString(line).TrimEnd('\r');

            // This one would end the fuzzer, as it should.
            if (text.Trim() == "poweroff" || lines++ == mostLines)
                continue;

            // A console has no end before the guest's.
            bool console = text == "console";
            string answer = Encoding.UTF8.GetString(FuzzedGuest.Ask(_guest.ControlSocket, [.. line, (byte)'\n'], whole: !console));
            _guest.ThrowIfBug();
            if (!answer.StartsWith("ok\n", StringComparison.Ordinal) && !answer.StartsWith("error\n", StringComparison.Ordinal) && line.Length < 4096)
                throw new FuzzFindException($"a line is not answered: {answer}");
            Signature signature = new();
            signature.AddSentence(answer.AsSpan(0, Math.Min(answer.Length, 40)));
            happened |= Signature.Bit(signature.Value, answer.Length);
        }

        return happened;
    }
}
