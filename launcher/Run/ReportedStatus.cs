// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;

namespace Lguest.Launcher.Run;

/// <summary>
/// The exit status that a guest reports by a line of its own on the console, <c>lguest: exit status N</c> with N from 0 to 255:
/// a test that runs in a guest has no other voice. The last such line counts. A kernel of our own can also say so as it ends,
/// with the hypercall CRASH and the text <c>exit status N</c>.
/// </summary>
public sealed class ReportedStatus
{
    /// <summary>What the line on the console begins with.</summary>
    public const string LinePrefix = "lguest: " + Words;

    /// <summary>What the text of CRASH begins with.</summary>
    public const string CrashPrefix = "CRASH: " + Words;

    private const string Words = "exit status ";

    /// <summary>No longer line can be one.</summary>
    private const int LongestLine = 64;

    private readonly byte[] _line = new byte[LongestLine];
    private int _length;

    /// <summary>What was reported last; null: nothing yet.</summary>
    public int? Status { get; private set; }

    /// <summary>Hears a piece of the console's output, wherever its lines end.</summary>
    public void Hear(ReadOnlySpan<byte> output)
    {
        foreach (byte next in output)
        {
            if (next is not ((byte)'\n' or (byte)'\r'))
            {
                // A line that is too long stays too long to its end.
                if (_length < LongestLine)
                    _line[_length] = next;
                _length = Math.Min(_length + 1, LongestLine + 1);
                continue;
            }

            if (_length <= LongestLine && Parse(System.Text.Encoding.ASCII.GetString(_line, 0, _length), LinePrefix) is { } status)
                Status = status;
            _length = 0;
        }
    }

    /// <summary>The status in a guest's last words, or null.</summary>
    /// <param name="reason">Why it ended, as the engine says it.</param>
    public static int? OfReason(string reason) => Parse(reason, CrashPrefix);

    private static int? Parse(string line, string prefix) =>
        line.StartsWith(prefix, StringComparison.Ordinal)
            && byte.TryParse(line.AsSpan(prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out byte status)
            ? status
            : null;
}
