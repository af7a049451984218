// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi.NineP;

/// <summary>Numbers of 9P2000.L, as Linux's client speaks it.</summary>
public static class NinePFormat
{
    /// <summary>The name of the dialect.</summary>
    public const string Version = "9P2000.L";

    /// <summary>The answer to a dialect that is not spoken.</summary>
    public const string UnknownVersion = "unknown";

    /// <summary>Bytes in front of each message: u32 its length with them, u8 what it is, u16 its tag.</summary>
    public const int Header = 7;

    /// <summary>Bytes of an error's answer: the header, and u32 the error number.</summary>
    public const int ErrorAnswer = Header + sizeof(uint);

    /// <summary>Bytes of the longest message that must be possible; Linux accepts no server with less.</summary>
    public const int LeastMessage = 4096;

    /// <summary>Names in one walk at most.</summary>
    public const int MostNames = 16;

    /// <summary>No fid.</summary>
    public const uint NoFid = uint.MaxValue;

    /// <summary>The type of the file system that the guest is shown (V9FS_MAGIC).</summary>
    public const uint FileSystemType = 0x0102_1997;

    /// <summary>The attributes that every file has, in the mask of an answer.</summary>
    public const ulong BasicAttributes = 0x7FF;

    /// <summary>A qid's type: a folder.</summary>
    public const byte FolderKind = 0x80;

    /// <summary>A qid's type: a symbolic link.</summary>
    public const byte LinkKind = 0x02;

    /// <summary>In the flags of <see cref="NinePMessage.UnlinkAt"/>: the name is a folder's.</summary>
    public const uint RemoveFolder = 0x200;
}

/// <summary>Flags of an open or create. Others have no meaning here.</summary>
[Flags]
public enum NinePOpen : uint
{
    /// <summary>To read.</summary>
    Read = 0,

    /// <summary>To write.</summary>
    Write = 1,

    /// <summary>Both.</summary>
    ReadWrite = 2,

    /// <summary>The bits of the three above.</summary>
    Access = 3,

    /// <summary>It must not exist.</summary>
    Exclusive = 0x80,

    /// <summary>What it holds is dropped.</summary>
    Truncate = 0x200,

    /// <summary>Everything is written at the end.</summary>
    Append = 0x400,

    /// <summary>A write has ended when its data is on the medium.</summary>
    DataSync = 0x1000,

    /// <summary>It must be a folder.</summary>
    Folder = 0x1_0000,

    /// <summary>A write has ended when data and attributes are on the medium.</summary>
    Sync = 0x10_0000,
}

/// <summary>Which attributes are to be changed.</summary>
[Flags]
public enum NinePChange : uint
{
    /// <summary>Who may do what.</summary>
    Mode = 1,

    /// <summary>The owner.</summary>
    Owner = 2,

    /// <summary>The group.</summary>
    Group = 4,

    /// <summary>The length.</summary>
    Size = 8,

    /// <summary>The time of the last access: now, unless <see cref="AccessTimeGiven"/>.</summary>
    AccessTime = 0x10,

    /// <summary>The time of the last change: now, unless <see cref="ModifyTimeGiven"/>.</summary>
    ModifyTime = 0x20,

    /// <summary>The time of the last change of attributes: now.</summary>
    ChangeTime = 0x40,

    /// <summary>A time is given.</summary>
    AccessTimeGiven = 0x80,

    /// <summary>A time is given.</summary>
    ModifyTimeGiven = 0x100,
}

/// <summary>Kinds of locks.</summary>
public enum NinePLock : byte
{
    /// <summary>A reader's.</summary>
    Read = 0,

    /// <summary>A writer's.</summary>
    Write = 1,

    /// <summary>None.</summary>
    None = 2,
}
