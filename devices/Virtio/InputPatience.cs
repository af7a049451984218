// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Devices.Virtio;

/// <summary>
/// When a console's driver is ready for input. It offers its buffers before it has put the console into its own list (virtio_console's
/// add_port), and throws away what comes in between: all that a script has written before the guest was up. Nothing shows when it is
/// ready. But a console that has spoken is soon, and one that has nothing to say will be after a while.
/// </summary>
/// <param name="clock">For the while; null: it is ready at once.</param>
internal sealed class InputPatience(TimeProvider? clock)
{
    private static readonly TimeSpan s_afterWords = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan s_withoutWords = TimeSpan.FromSeconds(1);

    private long _since;
    private TimeSpan? _wait;

    /// <summary>Whether what was typed can be given to the driver.</summary>
    public bool IsOver
    {
        get
        {
            // Once over it stays so, and the clock is not read any more.
            if (_wait is { } wait && clock!.GetElapsedTime(_since) >= wait)
                _wait = null;
            return _wait == null;
        }
    }

    /// <summary>The driver offers buffers for the first time.</summary>
    public void Begin()
    {
        if (clock == null)
            return;
        _since = clock.GetTimestamp();
        _wait = s_withoutWords;
    }

    /// <summary>The driver has sent something.</summary>
    public void HasSpoken()
    {
        if (_wait != s_withoutWords)
            return;
        _since = clock!.GetTimestamp();
        _wait = s_afterWords;
    }
}
