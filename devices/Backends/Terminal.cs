// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Native;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace Lguest.Devices.Backends;

/// <summary>
/// The user's terminal, handed to the guest key by key, and given back as it was. <see cref="Restore"/> may be called by
/// anybody, from any thread, any number of times: every exit of the launcher does.
/// </summary>
public sealed class Terminal : IDisposable
{
    private readonly Lock _lock = new();
    private readonly int _fd;
    private readonly termios _original;
    private bool _raw;
    private bool _closed;

    private Terminal(int fd, in termios original)
    {
        _fd = fd;
        _original = original;
    }

    /// <summary>Whether the user's keys go to the guest unfiltered now.</summary>
    public bool IsRaw
    {
        get
        {
            lock (_lock)
                return _raw;
        }
    }

    /// <summary>Remembers a terminal's settings; null when the descriptor is no terminal.</summary>
    public static Terminal? On(int fd) => Termios.TryGet(fd, out termios settings) ? new Terminal(fd, settings) : null;

    /// <summary>
    /// Turns off everything by which the terminal would take keys for itself: no echo (the guest echoes), no line editing, ^C
    /// and ^Z are bytes, ^S and ^Q too, and Enter is the carriage return that it is. Output is left alone.
    /// </summary>
    public unsafe void MakeRaw()
    {
        lock (_lock)
        {
            if (_closed)
                return;
            termios raw = _original;
            raw.c_lflag &= ~(ISIG | ICANON | ECHO | IEXTEN);
            raw.c_iflag &= ~(IXON | ICRNL | INLCR | IGNCR | ISTRIP | BRKINT);
            raw.c_cc[VMIN] = 1;
            raw.c_cc[VTIME] = 0;
            Termios.Set(_fd, in raw, evenInBackground: false);
            _raw = true;
        }
    }

    /// <summary>Puts the settings back. After that the terminal stays as it is.</summary>
    public void Restore()
    {
        lock (_lock)
        {
            _closed = true;
            if (!_raw)
                return;
            Termios.Set(_fd, in _original, evenInBackground: true);
            _raw = false;
        }
    }

    /// <summary>The same as <see cref="Restore"/>.</summary>
    public void Dispose() => Restore();
}
