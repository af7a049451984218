// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;

namespace Lguest.Devices.Backends.Disks;

/// <summary>
/// By what an overlay knows its base again: its length, and when its content was last changed. Not by device and inode: a base may be
/// moved, and copied with its time (<c>cp -p</c>, <c>rsync -a</c>).
/// </summary>
/// <param name="Length">Bytes.</param>
/// <param name="Seconds">Since 1970; 0 for a block device, which has no such time.</param>
/// <param name="Nanoseconds">Besides.</param>
internal readonly record struct BaseIdentity(long Length, long Seconds, uint Nanoseconds)
{
    /// <summary>Of a file that was opened.</summary>
    public static BaseIdentity Of(in FileStatus status, long length) => status.IsBlockDevice
        ? new(length, 0, 0)
        : new(length, status.Modified.tv_sec, (uint)(long)status.Modified.tv_nsec);

    /// <summary>The time as touch(1) takes it.</summary>
    public string TimeForTouch => string.Create(CultureInfo.InvariantCulture, $"@{Seconds}.{Nanoseconds:D9}");

    /// <summary>The time in UTC, to the second.</summary>
    public string TimeInWords => string.Create(CultureInfo.InvariantCulture, $"{DateTime.UnixEpoch.AddSeconds(Math.Clamp(Seconds, 0, 253_402_300_799)):yyyy-MM-dd HH:mm:ss} UTC");
}
