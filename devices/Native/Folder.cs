// SPDX-License-Identifier: GPL-2.0-or-later
using static Tmds.Linux.LibC;

namespace Lguest.Devices.Native;

/// <summary>Folders as places to look names up in: opened by O_PATH, which needs no right to list them.</summary>
internal static unsafe class Folder
{
    /// <summary>Opens a folder.</summary>
    /// <param name="path">Its name; empty: the current one.</param>
    /// <returns>A descriptor for the calls that take one, or a negated error number.</returns>
    public static int Open(string? path)
    {
        fixed (byte* name = PathBytes.Of(string.IsNullOrEmpty(path) ? "." : path))
        {
            int fd = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
            return fd < 0 ? -errno : fd;
        }
    }
}
