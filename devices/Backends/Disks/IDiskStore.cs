// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Devices.Backends.Disks;

/// <summary>Where a disk's bytes are: a file, or two of which one lies over the other.</summary>
internal interface IDiskStore : IDisposable
{
    /// <summary>Reads into guest memory until the vector is full, the bytes end or an error stops it.</summary>
    /// <returns>Bytes read.</returns>
    int Read(GuestVector vector, long offset, out HostErrno error);

    /// <summary>Writes guest memory until the vector is empty or an error stops it.</summary>
    /// <returns>Bytes written.</returns>
    int Write(GuestVector vector, long offset, out HostErrno error);

    /// <summary>Returns when everything written is on the medium, and will be found there.</summary>
    /// <returns>0, or the error: then some of it may never get there.</returns>
    HostErrno Sync();
}

/// <summary>A file of the host, which can also be read and written from the launcher's own memory.</summary>
internal interface IHostFile : IDiskStore
{
    /// <summary>Reads until the span is full or the file ends.</summary>
    /// <param name="target">Where to.</param>
    /// <param name="offset">Bytes from the start of the file.</param>
    /// <param name="read">Bytes that were read.</param>
    /// <returns>0, or the error.</returns>
    HostErrno ReadAt(Span<byte> target, long offset, out int read);

    /// <summary>Writes all of a span.</summary>
    /// <returns>0, or the error.</returns>
    HostErrno WriteAt(ReadOnlySpan<byte> source, long offset);

    /// <summary>Makes the file that long: what is added is zeros.</summary>
    /// <returns>0, or the error.</returns>
    HostErrno Truncate(long length);

    /// <summary>Measures it.</summary>
    /// <returns>0, or the error.</returns>
    HostErrno Measure(out long length);
}
