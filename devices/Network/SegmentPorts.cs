// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using Lguest.Devices.Native;
using Mono.Unix.Native;
using HostErrno = Mono.Unix.Native.Errno;

namespace Lguest.Devices.Network;

/// <summary>
/// Where the launchers of a segment find each other: a directory beside the network file, <c>FILE.ports</c>, in which each has
/// a socket named by its slot. Who may write the file may enter the directory, nobody else. A socket left behind by a launcher
/// that was killed refuses connections, and is replaced by the slot's next owner.
/// </summary>
public sealed class SegmentPorts : IDisposable
{
    private const string Suffix = ".ports";
    private const int LongestSlot = 4;
    private int _directory;

    private SegmentPorts(string path, int directory)
    {
        Path = path;
        _directory = directory;
    }

    /// <summary>The directory's name.</summary>
    public string Path { get; }

    /// <summary>Whether its name is too long for a socket's address with a slot's number in it.</summary>
    public bool IsLong => System.Text.Encoding.UTF8.GetByteCount(Path) + 1 + LongestSlot >= PacketSocket.PathSize;

    /// <summary>The name of a slot's socket.</summary>
    public string NameOf(int slot) => string.Create(CultureInfo.InvariantCulture, $"{Path}/{slot}");

    /// <summary>Opens the directory of a network file.</summary>
    /// <param name="file">The file.</param>
    /// <param name="create">Make it if it is not there.</param>
    /// <exception cref="DeviceException">It cannot be had.</exception>
    public static SegmentPorts Open(SegmentFile file, bool create)
    {
        // Through the descriptor: whatever name and links led to the file, all arrive at the same directory.
        string real = File.ResolveLinkTarget(file.Self, returnFinalTarget: false)?.FullName ?? file.Path;
        string path = real + Suffix;
        if (create && Syscall.fstat(file.Descriptor, out Stat status) == 0)
        {
            // Entering takes the right that writing the file takes. Sticky: nobody removes another user's socket.
            FilePermissions mode = FilePermissions.S_IRWXU | FilePermissions.S_ISVTX;
            if ((status.st_mode & FilePermissions.S_IWGRP) != 0)
                mode |= FilePermissions.S_IRWXG;
            if ((status.st_mode & FilePermissions.S_IWOTH) != 0)
                mode |= FilePermissions.S_IRWXO;

            // Not at once with its final mode: the umask would have a say.
            if (Syscall.mkdir(path, FilePermissions.S_IRWXU) == 0)
            {
                _ = Syscall.chown(path, uint.MaxValue, status.st_gid);
                _ = Syscall.chmod(path, mode);
            }
        }

        int directory = Syscall.open(path, OpenFlags.O_RDONLY | OpenFlags.O_DIRECTORY | OpenFlags.O_CLOEXEC);
        if (directory < 0 && create)
            throw new DeviceException($"cannot open '{path}', where the guests on '{file.Path}' meet: {HostMessage.Of(Stdlib.GetLastError())}; the network file must be in a directory that can be written");
        return new SegmentPorts(path, directory);
    }

    /// <summary>Listens as the owner of a slot.</summary>
    /// <returns>The socket.</returns>
    /// <exception cref="DeviceException">It cannot be made.</exception>
    public int Listen(int slot)
    {
        // Ours by the lock: a socket of that name has lost its owner.
        _ = Syscall.unlinkat(_directory, Name(slot), 0);
        int fd = PacketSocket.Listen(Route(slot), NetPage.Slots);
        if (fd < 0)
            throw new DeviceException($"cannot make a socket in '{Path}': {HostMessage.Of(NativeConvert.ToErrno(-fd))}");

        // Who may enter the directory may connect.
        _ = Syscall.fchmodat(_directory, Name(slot), NativeConvert.FromOctalPermissionString("0666"), 0);
        return fd;
    }

    /// <summary>Connects to the owner of a slot.</summary>
    /// <returns>A socket, or a negated error number.</returns>
    public int Connect(int slot) => _directory < 0 ? -NativeConvert.FromErrno(HostErrno.ENOENT) : PacketSocket.Connect(Route(slot));

    /// <summary>Removes the socket of a slot, and the directory with the last.</summary>
    public void Remove(int slot)
    {
        _ = Syscall.unlinkat(_directory, Name(slot), 0);
        _ = Syscall.rmdir(Path);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_directory >= 0)
            _ = Syscall.close(_directory);
        _directory = -1;
    }

    private static string Name(int slot) => slot.ToString(CultureInfo.InvariantCulture);

    /// <summary>
    /// By way of the opened directory where its name is too long: a socket's has room for no more than 107 bytes. That way needs
    /// /proc, and a process whose /proc is its user's.
    /// </summary>
    private string Route(int slot) => string.Create(CultureInfo.InvariantCulture, $"{(IsLong ? $"/proc/self/fd/{_directory}" : Path)}/{slot}");
}
