// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Devices.Backends.Share;

/// <summary>What a file of a share is opened for.</summary>
public enum ShareAccess
{
    /// <summary>To read; a folder: to list it.</summary>
    Read,

    /// <summary>To write.</summary>
    Write,

    /// <summary>Both.</summary>
    ReadWrite,

    /// <summary>To write at the end.</summary>
    Append,

    /// <summary>To read anywhere, and write at the end.</summary>
    ReadAppend,
}
