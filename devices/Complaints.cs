// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Devices;

/// <summary>
/// What a guest did wrong, told once per kind. A broken driver repeats itself thousands of times a second, and only the first
/// time is news.
/// </summary>
public sealed class Complaints(Action<string>? sink)
{
    private readonly HashSet<string> _told = [];

    /// <summary>Nobody listens.</summary>
    public static Complaints Silent { get; } = new(null);

    /// <summary>Tells it, unless this kind has been told before.</summary>
    /// <param name="kind">A fixed text: which sort of trouble, of which device.</param>
    /// <param name="detail">A sentence with the numbers.</param>
    public void Once(string kind, string detail)
    {
        if (sink != null && _told.Add(kind))
            sink(detail);
    }
}
