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

    /// <summary>Says something on standard error, behind the program's name. Output that fails is nobody's concern.</summary>
    public static void Say(string sentence) => Write(2, $"lguest: {sentence}\n");

    /// <summary>Writes text to a descriptor.</summary>
    public static void Write(int fd, string text)
    {
        ReadOnlySpan<byte> rest = Encoding.UTF8.GetBytes(text);
        fixed (byte* bytes = rest)
        {
            for (int done = 0; done < rest.Length;)
            {
                nint count = write(fd, bytes + done, (nuint)(rest.Length - done));
                if (count < 0 && Marshal.GetLastPInvokeError() == Interrupted)
                    continue;
                if (count <= 0)
                    return;
                done += (int)count;
            }
        }
    }

    // Not by a library: where few files may be open none can be loaded any more, and that is what has to be said then.
    [LibraryImport("libc", SetLastError = true)]
    private static partial nint write(int fd, byte* bytes, nuint count);
}
