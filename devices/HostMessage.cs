// SPDX-License-Identifier: GPL-2.0-or-later
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Lguest.Devices;

/// <summary>
/// The host's errors in words: the one table from which every sentence about a file or a socket is made. The runtime's own
/// exception texts are not used anywhere: several error numbers share one of them.
/// </summary>
public static class HostMessage
{
    /// <summary>The text of an error number, as <c>strerror</c> gives it, with the small letter that the middle of a sentence wants.</summary>
    public static string Of(HostErrno error)
    {
        string text = Marshal.GetPInvokeErrorMessage((int)error);
        return text.Length > 1 && char.IsLower(text[1]) ? char.ToLowerInvariant(text[0]) + text[1..] : text;
    }

    /// <summary>Why nothing can be made or opened for writing at a path, with what helps.</summary>
    /// <param name="path">As the user wrote it.</param>
    /// <param name="error">What the host answered.</param>
    public static string At(string path, HostErrno error) => error switch
    {
        HostErrno.ENOENT => $"the folder '{FolderOf(path)}' does not exist; make it first, or name another",
        HostErrno.ENOTDIR => $"'{FolderOf(path)}' is not a folder",
        HostErrno.EISDIR => "it is a directory; name a file in it",
        HostErrno.EACCES or HostErrno.EPERM => "permission denied; name a place where you may write",
        HostErrno.EROFS => "its file system is read-only; name a place on another",
        HostErrno.ENOSPC or HostErrno.EDQUOT => "no space left there",
        HostErrno.ENXIO => "it is a socket, or a device that is not there; name an ordinary file",
        HostErrno.ETXTBSY => "it is a program that is running",
        HostErrno.ELOOP => "its symbolic links lead nowhere",
        HostErrno.EMFILE or HostErrno.ENFILE => "too many files are open; raise the limit (ulimit -n)",
        HostErrno.EADDRINUSE => "it exists already; name another, or remove it",
        _ => Of(error),
    };

    /// <summary>The error number of a socket's exception, for the errors that TCP addresses meet; 0 for others.</summary>
    public static HostErrno ErrnoOf(SocketError error) => error switch
    {
        SocketError.AccessDenied => HostErrno.EACCES,
        SocketError.AddressAlreadyInUse => HostErrno.EADDRINUSE,
        SocketError.AddressNotAvailable => HostErrno.EADDRNOTAVAIL,
        SocketError.AddressFamilyNotSupported => HostErrno.EAFNOSUPPORT,
        SocketError.TooManyOpenSockets => HostErrno.EMFILE,
        SocketError.NoBufferSpaceAvailable => HostErrno.ENOBUFS,
        _ => 0,
    };

    private static string FolderOf(string path)
    {
        string? folder = Path.GetDirectoryName(path);
        return string.IsNullOrEmpty(folder) ? "." : folder;
    }
}
