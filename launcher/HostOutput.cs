// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using System.Text;

namespace Lguest.Launcher;

/// <summary>
/// The launcher's own words. System.Console is not used anywhere: it would take an interest in the terminal's settings, which
/// are ours to change and to restore, and it costs time at start.
/// </summary>
public static unsafe partial class HostOutput
{
    private const int Interrupted = 4;

    private const int BrokenPipe = 32;

    /// <summary>Says something on standard error, after the program's name. Output that fails is nobody's concern.</summary>
    public static void Say(string sentence) => Write(2, $"lguest: {sentence}\n");

    /// <summary>Prints what was asked for on standard output: help, a table, a page.</summary>
    /// <returns>The exit status: success, or that of a pipe that nobody reads.</returns>
    /// <exception cref="LaunchException">It could not be written.</exception>
    public static int Print(string text) => Write(1, text) switch
    {
        0 => ExitStatus.Success,
        BrokenPipe => ExitStatus.BrokenPipe,
        int error => throw new LaunchException($"standard output cannot be written: {Marshal.GetPInvokeErrorMessage(error)}"),
    };

    /// <summary>Writes text to a descriptor.</summary>
    /// <returns>0, or the host's error number.</returns>
    public static int Write(int fd, string text)
    {
        ReadOnlySpan<byte> rest = Encoding.UTF8.GetBytes(text);
        fixed (byte* bytes = rest)
        {
            for (int done = 0; done < rest.Length;)
            {
                nint count = write(fd, bytes + done, (nuint)(rest.Length - done));
                int error = count < 0 ? Marshal.GetLastPInvokeError() : 0;
                if (error == Interrupted)
                    continue;
                if (count <= 0)
                    return error;
                done += (int)count;
            }
        }

        return 0;
    }

    // Not by a library: where few files may be open none can be loaded any more, and that is what has to be said then.
    [LibraryImport("libc", SetLastError = true)]
    private static partial nint write(int fd, byte* bytes, nuint count);
}
