// SPDX-License-Identifier: GPL-2.0-or-later
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace Lguest.Devices.Native;

/// <summary>
/// Attributes of a file of which there is a descriptor that opened nothing (O_PATH): changed through the descriptor, with an empty
/// name, so it is this file and no other. Each answers 0, or a negated error number.
/// </summary>
internal static unsafe class PathAttributes
{
    private const int ModeCall = 452;

    /// <summary>AT_EMPTY_PATH and AT_SYMLINK_NOFOLLOW: the descriptor itself.</summary>
    private const int Itself = 0x1000 | 0x100;

    /// <summary>A sandbox's filter can insist on it.</summary>
    private static readonly nint s_emptyName = HeldNames.Hold(string.Empty);

    /// <summary>Whether there is an empty name, as <see cref="BeneathOpen.IsReady"/>.</summary>
    public static bool IsReady => s_emptyName != 0;

    /// <summary>Who may do what (fchmodat2(2), Linux 6.6, which Tmds.LibC has not).</summary>
    public static int SetMode(int fd, uint mode)
    {
        long result = (ssize_t)syscall(ModeCall, fd, (byte*)s_emptyName, mode, Itself);
        return result < 0 ? -errno : 0;
    }

    /// <summary>Who may do what, of an opened file.</summary>
    public static int SetModeOfOpen(int fd, uint mode) => Of(fchmod(fd, (mode_t)mode));

    /// <summary>Whose it is; <see cref="uint.MaxValue"/>: as before.</summary>
    public static int SetOwner(int fd, uint user, uint group) => Of(fchownat(fd, (byte*)s_emptyName, user, group, Itself));

    /// <summary>When it was read and written (with an empty name since Linux 5.8).</summary>
    public static int SetTimes(int fd, timespec accessed, timespec modified)
    {
        timespec* times = stackalloc timespec[2] { accessed, modified };
        return Of(utimensat(fd, (byte*)s_emptyName, times, Itself));
    }

    /// <summary>When an opened file was read and written.</summary>
    public static int SetTimesOfOpen(int fd, timespec accessed, timespec modified)
    {
        timespec* times = stackalloc timespec[2] { accessed, modified };
        return Of(futimens(fd, times));
    }

    /// <summary>Where a symbolic link leads.</summary>
    /// <returns>Bytes, or a negated error number.</returns>
    public static int ReadLink(int fd, Span<byte> target)
    {
        fixed (byte* start = target)
        {
            long bytes = (ssize_t)readlinkat(fd, (byte*)s_emptyName, start, target.Length);
            return bytes < 0 ? -errno : (int)bytes;
        }
    }

    private static int Of(int result) => result < 0 ? -errno : 0;
}
