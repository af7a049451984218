// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Native;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace Lguest.Devices;

/// <summary>What there is under a name or behind a descriptor, and which file it is (stat(2)).</summary>
public readonly unsafe struct FileStatus
{
    private readonly stat _stat;

    private FileStatus(in stat status) => _stat = status;

    /// <summary>Device and inode: the file itself, whatever name led to it.</summary>
    public (ulong Device, ulong Inode) Identity => (_stat.st_dev, _stat.st_ino);

    /// <summary>Bytes.</summary>
    public long Size => _stat.st_size;

    /// <summary>The user whose it is.</summary>
    public uint Owner => _stat.st_uid;

    /// <summary>The group whose it is.</summary>
    public uint Group => _stat.st_gid;

    /// <summary>Who may do what.</summary>
    public mode_t Mode => _stat.st_mode;

    /// <summary>How many names it has.</summary>
    public ulong Names => (ulong)_stat.st_nlink;

    /// <summary>Which device it stands for, if it is one.</summary>
    public ulong Special => _stat.st_rdev;

    /// <summary>Bytes that are best read at once.</summary>
    public long BlockSize => _stat.st_blksize;

    /// <summary>Blocks of 512 bytes that it takes.</summary>
    public long Blocks => _stat.st_blocks;

    /// <summary>When it was last read.</summary>
    public timespec Accessed => _stat.st_atim;

    /// <summary>When it was last written.</summary>
    public timespec Modified => _stat.st_mtim;

    /// <summary>When it was last changed, attributes and names included.</summary>
    public timespec Changed => _stat.st_ctim;

    public bool IsRegular => S_ISREG(_stat.st_mode);

    public bool IsFolder => S_ISDIR(_stat.st_mode);

    public bool IsBlockDevice => S_ISBLK(_stat.st_mode);

    public bool IsCharacterDevice => S_ISCHR(_stat.st_mode);

    public bool IsPipe => S_ISFIFO(_stat.st_mode);

    public bool IsSocket => S_ISSOCK(_stat.st_mode);

    public bool IsLink => S_ISLNK(_stat.st_mode);

    /// <summary>What a path leads to, by any links.</summary>
    /// <returns>False, and <c>errno</c> says why, when there is nothing.</returns>
    public static bool TryGet(string path, out FileStatus status)
    {
        stat found;
        bool there;
        fixed (byte* name = PathBytes.Of(path))
            there = stat(name, &found) == 0;
        status = there ? new FileStatus(in found) : default;
        return there;
    }

    /// <summary>What was opened.</summary>
    /// <returns>False, and <c>errno</c> says why, when it cannot be asked.</returns>
    public static bool TryGet(int fd, out FileStatus status)
    {
        stat found;
        bool there = fstat(fd, &found) == 0;
        status = there ? new FileStatus(in found) : default;
        return there;
    }

    /// <summary>What has a name in an opened folder; a link itself, not what it leads to.</summary>
    /// <returns>False, and <c>errno</c> says why, when there is nothing.</returns>
    public static bool TryGet(int folder, string path, out FileStatus status)
    {
        stat found;
        bool there;
        fixed (byte* name = PathBytes.Of(path))
            there = fstatat(folder, name, &found, AT_SYMLINK_NOFOLLOW) == 0;
        status = there ? new FileStatus(in found) : default;
        return there;
    }
}
