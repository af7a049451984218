// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using Mono.Unix.Native;
using HostErrno = Mono.Unix.Native.Errno;

namespace Lguest.Launcher;

/// <summary>
/// The launcher's own words. System.Console is not used anywhere: it would take an interest in the terminal's settings, which
/// are ours to change and to restore, and it costs time at start.
/// </summary>
public static unsafe class HostOutput
{
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
                long count = Syscall.write(fd, bytes + done, (ulong)(rest.Length - done));
                if (count < 0 && Stdlib.GetLastError() == HostErrno.EINTR)
                    continue;
                if (count <= 0)
                    return;
                done += (int)count;
            }
        }
    }
}
