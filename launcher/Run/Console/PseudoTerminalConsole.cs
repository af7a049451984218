// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Runtime.InteropServices;
using Lguest.Devices.Backends;
using Lguest.Devices.Native;
using Lguest.Launcher.Common;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace Lguest.Launcher.Run.Console;

/// <summary>
/// A new pseudo-terminal (pty(7)). While nobody has its other side open, poll(2) says that it hung up, and nothing there can be
/// waited for: one looks from time to time.
/// </summary>
internal sealed unsafe class PseudoTerminalConsole : IConsolePeer
{
    /// <summary>How long a reader is given at the end, in milliseconds.</summary>
    private const int LastWords = 2000;

    private const int Pause = 10;

    private readonly int _master;
    private readonly Terminal? _settings;
    private bool _connected;

    /// <summary>Opens one.</summary>
    /// <exception cref="LaunchException">The host has none.</exception>
    public PseudoTerminalConsole()
    {
        _master = Open("/dev/ptmx", O_RDWR);
        int unlocked = 0;
        int number;
        if (_master < 0 || ioctl(_master, TIOCSPTLCK, &unlocked) != 0 || ioctl(_master, TIOCGPTN, &number) != 0)
            throw new LaunchException($"--console=pty: the host gives no pseudo-terminal: {Marshal.GetLastPInvokeErrorMessage()}");
        Name = string.Create(CultureInfo.InvariantCulture, $"/dev/pts/{number}");

        // The guest echoes and edits; and once opened and closed, the terminal is one that hung up.
        _settings = Terminal.On(_master);
        _settings?.MakeRaw();
        int other = Open(Name, O_RDWR);
        if (other >= 0)
            _ = close(other);
    }

    /// <summary>The path by which others open it.</summary>
    public string Name { get; }

    /// <inheritdoc/>
    public int Arrivals => -1;

    /// <inheritdoc/>
    public int Descriptor => _connected ? _master : -1;

    /// <inheritdoc/>
    public void Look()
    {
        pollfd state = new() { fd = _master, events = POLLOUT };
        _connected = poll(&state, 1, 0) >= 0 && (state.revents & POLLHUP) == 0;
    }

    /// <inheritdoc/>
    public void Leave() => _connected = false;

    /// <inheritdoc/>
    public void Dispose()
    {
        // A hung-up terminal forgets what was not read yet: the reader is given a moment for the guest's last words.
        int other = _connected ? Open(Name, O_RDONLY) : -1;
        if (other >= 0)
        {
            // Not FIONREAD, which does not see what the kernel is still carrying from one side to the other; poll(2) waits for that.
            pollfd unread = new() { fd = other, events = POLLIN };
            for (int waited = 0; waited < LastWords && poll(&unread, 1, 0) > 0 && (unread.revents & POLLIN) != 0; waited += Pause)
                Thread.Sleep(Pause);
            _ = close(other);
        }

        _ = close(_master);
    }

    private static int Open(string path, int access)
    {
        fixed (byte* name = PathBytes.Of(path))
            return open(name, access | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0);
    }
}
