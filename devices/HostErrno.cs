// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Devices;

/// <summary>The host's error numbers on which a decision or a sentence depends, as in asm-generic/errno.h: <c>(HostErrno)errno</c>.</summary>
public enum HostErrno
{
    EPERM = 1,
    ENOENT = 2,
    EINTR = 4,
    EIO = 5,
    ENXIO = 6,
    EBADF = 9,
    EAGAIN = 11,
    EACCES = 13,
    EBUSY = 16,
    EEXIST = 17,
    ENODEV = 19,
    ENOTDIR = 20,
    EISDIR = 21,
    EINVAL = 22,
    ENFILE = 23,
    EMFILE = 24,
    ETXTBSY = 26,
    ENOSPC = 28,
    ESPIPE = 29,
    EROFS = 30,
    EPIPE = 32,
    ELOOP = 40,
    EBADFD = 77,
    EPROTOTYPE = 91,
    EOPNOTSUPP = 95,
    EAFNOSUPPORT = 97,
    EADDRINUSE = 98,
    EADDRNOTAVAIL = 99,
    ENOBUFS = 105,
    ECONNREFUSED = 111,
    EDQUOT = 122,
}
