// SPDX-License-Identifier: GPL-2.0-or-later
using static Tmds.Linux.LibC;

namespace Lguest.Devices.Native;

/// <summary>
/// Random bytes from the host's kernel. The runtime's own source of them is OpenSSL, which it loads when it is first asked: that may not be
/// installed, and once the launcher is sealed it cannot be loaded.
/// </summary>
internal static unsafe class KernelRandom
{
    private const int GetRandomCall = 318;

    /// <summary>Fills a few bytes; waits for nothing, since the host has been up for long enough to start programs.</summary>
    public static void Fill(Span<byte> target)
    {
        while (!target.IsEmpty)
        {
            long count;
            fixed (byte* start = target)
                count = (long)syscall(GetRandomCall, start, target.Length, 0);
            if (count < 0 && errno != EINTR)
                throw new InvalidOperationException($"getrandom: {HostMessage.Of((HostErrno)errno)}");
            target = target[(int)Math.Max(0, count)..];
        }
    }
}
