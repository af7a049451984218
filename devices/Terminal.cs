// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Native;

namespace Lguest.Devices;

/// <summary>
/// The user's terminal, handed to the guest key by key, and given back as it was. <see cref="Restore"/> may be called by
/// anybody, from any thread, any number of times: every way out of the launcher does.
/// </summary>
public sealed class Terminal : IDisposable
{
    private readonly Lock _lock = new();
    private readonly int _fd;
    private readonly Termios _original;
    private bool _raw;
    private bool _closed;

    private Terminal(int fd, in Termios original)
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
    public static Terminal? On(int fd) => Termios.TryGet(fd, out Termios settings) ? new Terminal(fd, settings) : null;

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
            Termios raw = _original;
            raw.Local &= ~(Termios.Isig | Termios.Icanon | Termios.Echo | Termios.Iexten);
            raw.Input &= ~(Termios.Ixon | Termios.Icrnl | Termios.Inlcr | Termios.Igncr | Termios.Istrip | Termios.Brkint);
            raw.ControlCharacters[Termios.Vmin] = 1;
            raw.ControlCharacters[Termios.Vtime] = 0;
            raw.Set(_fd, evenInBackground: false);
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
            _original.Set(_fd, evenInBackground: true);
            _raw = false;
        }
    }

    /// <summary>The same as <see cref="Restore"/>.</summary>
    public void Dispose() => Restore();
}
