// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using Lguest.Launcher.Common;

namespace Lguest.Launcher.Options;

/// <summary>A length of time on the command line: a number of seconds, or a number with a unit as sleep(1) and timeout(1) have it.</summary>
public static class Duration
{
    /// <summary>The longest there is: what the runtime's timers can wait.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromDays(24);

    /// <summary>Understands <c>90</c>, <c>1.5s</c>, <c>500ms</c>, <c>5m</c>, <c>2h</c>, <c>1d</c>.</summary>
    /// <param name="option">The option's name, for messages.</param>
    /// <param name="text">Its value.</param>
    /// <exception cref="LaunchException">It is no length of time, or none that can be waited for.</exception>
    public static TimeSpan Parse(string option, string text)
    {
        ReadOnlySpan<(string Unit, double Seconds)> units = [("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600), ("d", 86400)];
        double scale = 1;
        string number = text;
        foreach ((string unit, double seconds) in units)
        {
            if (!text.EndsWith(unit, StringComparison.Ordinal))
                continue;
            scale = seconds;
            number = text[..^unit.Length];
            break;
        }

        if (!double.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value))
            throw new LaunchException($"--{option}={text} is no length of time; write seconds, or a number with ms, s, m, h or d: --{option}=90s");
        double total = value * scale;
        if (total < 0.001 || total > Longest.TotalSeconds)
            throw new LaunchException($"--{option}={text}: between 1ms and {Longest.TotalDays:f0}d are possible");
        return TimeSpan.FromSeconds(total);
    }
}
