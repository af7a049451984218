// SPDX-License-Identifier: GPL-2.0-or-later
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace Lguest.Devices.Native;

/// <summary>A terminal's settings, got and set in spite of signals.</summary>
internal static unsafe class Termios
{
    /// <summary>The settings of a terminal; false when the descriptor is not one.</summary>
    public static bool TryGet(int fd, out termios settings)
    {
        fixed (termios* target = &settings)
            return tcgetattr(fd, target) == 0;
    }

    /// <summary>Sets a terminal.</summary>
    /// <param name="fd">The terminal.</param>
    /// <param name="settings">How it is to be.</param>
    /// <param name="evenInBackground">
    /// Do it even if another job is in the terminal's foreground. Without this the system stops whoever tries (SIGTTOU), which
    /// is right for somebody who starts, and wrong for somebody who leaves and cleans up.
    /// </param>
    public static void Set(int fd, in termios settings, bool evenInBackground)
    {
        // sigprocmask is for this thread only, on Linux; pthread_sigmask would be looked for in a library of its own.
        sigset_t mask;
        sigset_t before;
        _ = sigemptyset(&mask);
        _ = sigaddset(&mask, SIGTTOU);
        if (evenInBackground)
            _ = sigprocmask(SIG_BLOCK, &mask, &before);
        fixed (termios* source = &settings)
        {
            while (tcsetattr(fd, (int)TCSANOW, source) != 0 && errno == EINTR)
            {
            }
        }

        if (evenInBackground)
            _ = sigprocmask(SIG_SETMASK, &before, null);
    }
}
