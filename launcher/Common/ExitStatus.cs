// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Launcher.Common;

/// <summary>How the launcher ends: part of its interface, and in its help.</summary>
public static class ExitStatus
{
    /// <summary>The guest powered itself off, or restarted under --no-reboot; or help was asked for.</summary>
    public const int Success = 0;

    /// <summary>The guest died, or could not be started; standard error says why.</summary>
    public const int Failure = 1;

    /// <summary>The user pressed ^C three times.</summary>
    public const int ConsoleAbort = 2;

    /// <summary>The time of --timeout was up; timeout(1) has the same.</summary>
    public const int TimedOut = 124;

    /// <summary>Ended by signal n: 128 + n, as shells put it.</summary>
    public const int SignalBase = 128;

    /// <summary>SIGPIPE's number: the status when nobody reads the console's output any more is 128 + 13.</summary>
    public const int BrokenPipe = SignalBase + 13;
}
