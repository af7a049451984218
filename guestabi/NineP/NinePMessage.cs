// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi.NineP;

/// <summary>
/// What a 9P2000.L message asks for: the byte after its length. The answer has the next number; an error is always <see cref="ErrorAnswer"/>.
/// </summary>
public enum NinePMessage : byte
{
    /// <summary>The answer to a request that failed: a Linux error number.</summary>
    ErrorAnswer = 7,

    /// <summary>The file system's numbers.</summary>
    StatFs = 8,

    /// <summary>Opens a file.</summary>
    Open = 12,

    /// <summary>Makes a file and opens it.</summary>
    Create = 14,

    /// <summary>Makes a symbolic link.</summary>
    Symlink = 16,

    /// <summary>Makes a special file, or an ordinary one without opening it.</summary>
    MakeNode = 18,

    /// <summary>Moves a file, by its fid.</summary>
    Rename = 20,

    /// <summary>Reads where a symbolic link leads.</summary>
    ReadLink = 22,

    /// <summary>Reads attributes.</summary>
    GetAttributes = 24,

    /// <summary>Changes attributes.</summary>
    SetAttributes = 26,

    /// <summary>Opens an extended attribute for reading.</summary>
    ExtendedWalk = 30,

    /// <summary>Opens an extended attribute for writing.</summary>
    ExtendedCreate = 32,

    /// <summary>Lists a folder.</summary>
    ReadFolder = 40,

    /// <summary>Brings what was written to the medium.</summary>
    Sync = 50,

    /// <summary>Takes or gives back a lock.</summary>
    Lock = 52,

    /// <summary>Asks who has a lock.</summary>
    GetLock = 54,

    /// <summary>Makes a second name of a file.</summary>
    Link = 70,

    /// <summary>Makes a folder.</summary>
    MakeFolder = 72,

    /// <summary>Moves a file, by its folder and name.</summary>
    RenameAt = 74,

    /// <summary>Removes a name.</summary>
    UnlinkAt = 76,

    /// <summary>Begins a session: everything before it is forgotten.</summary>
    Version = 100,

    /// <summary>Asks for authentication.</summary>
    Authenticate = 102,

    /// <summary>Gets a fid for the root.</summary>
    Attach = 104,

    /// <summary>The request with some tag is not wanted any more.</summary>
    Flush = 108,

    /// <summary>Gets a fid for what some names lead to.</summary>
    Walk = 110,

    /// <summary>Reads a file.</summary>
    Read = 116,

    /// <summary>Writes a file.</summary>
    Write = 118,

    /// <summary>Forgets a fid.</summary>
    Clunk = 120,

    /// <summary>Removes a file, by its fid, and forgets the fid.</summary>
    Remove = 122,
}
