// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using System.Text;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace Lguest.Launcher.Common;

/// <summary>
/// The launcher's own words. System.Console is not used anywhere: it would take an interest in the terminal's settings, which
/// are ours to change and to restore, and it costs time at start.
/// </summary>
public static unsafe class HostOutput
{
    /// <summary>Says something on standard error, after the program's name. Output that fails is nobody's concern.</summary>
    public static void Say(string sentence) => Write(2, $"lguest: {sentence}\n");

    /// <summary>Prints what was asked for on standard output: help, a table, a page.</summary>
    /// <returns>The exit status: success, or that of a pipe that nobody reads.</returns>
    /// <exception cref="LaunchException">It could not be written.</exception>
    public static int Print(string text)
    {
        int error = Write(1, text);
        if (error != 0 && error != EPIPE)
            throw new LaunchException($"standard output cannot be written: {Marshal.GetPInvokeErrorMessage(error)}");
        return error == 0 ? ExitStatus.Success : ExitStatus.BrokenPipe;
    }

    /// <summary>Whether a descriptor can be written now: a terminal that somebody has stopped cannot.</summary>
    public static bool CanWrite(int fd)
    {
        pollfd state = new() { fd = fd, events = POLLOUT };
        return poll(&state, 1, 0) > 0 && (state.revents & POLLOUT) != 0;
    }

    /// <summary>Writes text to a descriptor.</summary>
    /// <returns>0, or the host's error number.</returns>
    public static int Write(int fd, string text)
    {
        ReadOnlySpan<byte> rest = Encoding.UTF8.GetBytes(text);
        fixed (byte* bytes = rest)
        {
            for (int done = 0; done < rest.Length;)
            {
                long count = write(fd, bytes + done, rest.Length - done);
                int error = count < 0 ? errno : 0;
                if (error == EINTR)
                    continue;
                if (count <= 0)
                    return error;
                done += (int)count;
            }
        }

        return 0;
    }
}
