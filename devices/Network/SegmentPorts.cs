// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using Lguest.Devices.Native;
using Mono.Unix.Native;
using HostErrno = Mono.Unix.Native.Errno;

namespace Lguest.Devices.Network;

/// <summary>
/// Where the launchers of a segment find each other: a directory beside the network file, <c>FILE.ports</c>, in which each has
/// a socket named by its slot. Who may write the file may enter the directory, nobody else. A socket left behind by a launcher
/// that was killed refuses connections, and is replaced by the slot's next owner, or removed with the last launcher.
/// </summary>
/// <remarks>
/// The file may lie where strangers may make names (/tmp), and one who made the directory would have every packet. So it is
/// opened without following links and looked at through its descriptor. Connecting goes by its name, which must still be that of
/// the same directory; and where only one user may write the file, whoever is at the other end must be him, us or root.
/// </remarks>
public sealed class SegmentPorts : IDisposable
{
    private const string Suffix = ".ports";
    private const int LongestSlot = 4;
    private const FilePermissions AnyRights = FilePermissions.S_IRWXU | FilePermissions.S_IRWXG | FilePermissions.S_IRWXO;

    private readonly int _folder;
    private readonly bool _isByName = Syscall.access("/proc/self/fd", AccessModes.F_OK) != 0;
    private nint[] _names = [];
    private nint[] _addresses = [];
    private nint _directoryName;
    private int _directory;
    private Stat _status;
    private uint _owner;
    private bool _isPrivate;

    private SegmentPorts(string path, int folder)
    {
        Path = path;
        _folder = folder;
        _directory = -1;
    }

    /// <summary>The directory's name.</summary>
    public string Path { get; }

    private bool IsLong => System.Text.Encoding.UTF8.GetByteCount(Path) + 1 + LongestSlot >= PacketSocket.PathSize;

    /// <summary>The name of a slot's socket.</summary>
    public string NameOf(int slot) => string.Create(CultureInfo.InvariantCulture, $"{Path}/{slot}");

    /// <summary>Opens the directory of a network file.</summary>
    /// <param name="file">The file.</param>
    /// <param name="create">Make it if it is not there; else nobody answers where there is none.</param>
    /// <exception cref="DeviceException">It cannot be had, or others than those who may write the file could be in it.</exception>
    public static SegmentPorts Open(SegmentFile file, bool create)
    {
        // Through the descriptor: whatever name and links led to the file, all arrive at the same directory.
        string real = File.ResolveLinkTarget(file.Self, returnFinalTarget: false)?.FullName ?? file.Path;
        SegmentPorts ports = new(real + Suffix, Folder.Open(System.IO.Path.GetDirectoryName(real)));
        try
        {
            if (Syscall.fstat(file.Descriptor, out Stat status) != 0)
                throw ports.Refused(file, Stdlib.GetLastError());
            ports.Enter(file, in status, create);
            return ports;
        }
        catch
        {
            ports.Dispose();
            throw;
        }
    }

    /// <summary>Listens as the owner of a slot.</summary>
    /// <returns>The socket.</returns>
    /// <exception cref="DeviceException">It cannot be made.</exception>
    public int Listen(int slot)
    {
        // Ours by the lock: a socket of that name has lost its owner.
        _ = Syscall.unlinkat(_directory, Name(slot), 0);
        int fd = CanGoThere ? PacketSocket.Listen(Route(slot), NetPage.Slots) : -NativeConvert.FromErrno(HostErrno.ENOENT);
        if (fd < 0)
            throw new DeviceException($"cannot make a socket in '{Path}': {HostMessage.Of(NativeConvert.ToErrno(-fd))}");

        // Who may enter the directory may connect.
        _ = Syscall.fchmodat(_directory, Name(slot), NativeConvert.FromOctalPermissionString("0666"), 0);
        HoldNames();
        return fd;
    }

    /// <summary>Connects to the owner of a slot.</summary>
    /// <returns>A socket, or a negated error number.</returns>
    public int Connect(int slot)
    {
        if (_directory < 0 || !CanGoThere)
            return -NativeConvert.FromErrno(HostErrno.ENOENT);
        int fd = _addresses.Length > 0 ? PacketSocket.Connect(_addresses[slot]) : PacketSocket.Connect(Route(slot));
        if (fd < 0 || Admits(fd))
            return fd;
        _ = Syscall.close(fd);
        return -NativeConvert.FromErrno(HostErrno.EACCES);
    }

    /// <summary>Whether the user at the other end of a connection may be on the segment, as far as the file's rights name him.</summary>
    public bool Admits(int connection) =>
        !_isPrivate || (PacketSocket.PeerUser(connection) is { } user && (user == _owner || user == Syscall.geteuid() || user == 0));

    /// <summary>Removes the socket of a slot; with the last slot everything that killed launchers left, and the directory.</summary>
    /// <param name="slot">The slot.</param>
    /// <param name="isLast">Nobody else has a slot, and nobody can take one just now.</param>
    public void Remove(int slot, bool isLast)
    {
        if (_names.Length == 0)
            return;
        HeldNames.Remove(_directory, _names[slot]);
        if (!isLast)
            return;
        foreach (nint name in _names)
            HeldNames.Remove(_directory, name);
        if (IsStillThere)
            HeldNames.RemoveDirectory(_folder, _directoryName);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_directory >= 0)
            _ = Syscall.close(_directory);
        if (_folder >= 0)
            _ = Syscall.close(_folder);
        _directory = -1;
    }

    /// <summary>Whether the name still is that of the directory that was opened.</summary>
    private bool IsStillThere =>
        Syscall.fstatat(_folder, DirectoryName, out Stat now, AtFlags.AT_SYMLINK_NOFOLLOW) == 0 && (now.st_dev, now.st_ino) == (_status.st_dev, _status.st_ino);

    private bool CanGoThere => !_isByName || (!IsLong && IsStillThere);

    private string DirectoryName => System.IO.Path.GetFileName(Path);

    private static string Name(int slot) => slot.ToString(CultureInfo.InvariantCulture);

    /// <summary>What is connected to and removed later, where a sandbox knows it from all else.</summary>
    private void HoldNames()
    {
        _directoryName = HeldNames.Hold(DirectoryName);
        _names = new nint[NetPage.Slots];
        _addresses = new nint[NetPage.Slots];
        for (int slot = 0; slot < NetPage.Slots; slot++)
        {
            _names[slot] = HeldNames.Hold(Name(slot));
            _addresses[slot] = PacketSocket.Hold(Route(slot));
        }
    }

    private void Enter(SegmentFile file, in Stat status, bool create)
    {
        // Entering takes the right that writing the file takes.
        FilePermissions rights = FilePermissions.S_IRWXU;
        if ((status.st_mode & FilePermissions.S_IWGRP) != 0)
            rights |= FilePermissions.S_IRWXG;
        if ((status.st_mode & FilePermissions.S_IWOTH) != 0)
            rights |= FilePermissions.S_IRWXO;
        _owner = status.st_uid;
        _isPrivate = rights == FilePermissions.S_IRWXU;

        bool made = create && Syscall.mkdirat(_folder, DirectoryName, FilePermissions.S_IRWXU) == 0;
        HostErrno makeError = made ? 0 : Stdlib.GetLastError();
        _directory = Syscall.openat(_folder, DirectoryName, OpenFlags.O_RDONLY | OpenFlags.O_DIRECTORY | OpenFlags.O_NOFOLLOW | OpenFlags.O_CLOEXEC);
        if (_directory < 0)
        {
            HostErrno error = Stdlib.GetLastError();
            if (error is HostErrno.ENOTDIR or HostErrno.ELOOP)
                throw new DeviceException($"'{Path}', where the guests on '{file.Path}' meet, is not a directory; somebody else has made it: remove it, or move the network file to a directory of your own");
            if (create)
                throw Refused(file, error == HostErrno.ENOENT ? makeError : error);
            return;
        }

        if (made)
        {
            // Not at once with its final mode: the umask would have a say. Root makes it for the file's owner. Sticky: nobody
            // removes another user's socket.
            if (Syscall.fchown(_directory, status.st_uid, status.st_gid) != 0)
                _ = Syscall.fchown(_directory, uint.MaxValue, status.st_gid);
            _ = Syscall.fchmod(_directory, rights | FilePermissions.S_ISVTX);
        }

        if (Syscall.fstat(_directory, out _status) != 0)
            throw Refused(file, Stdlib.GetLastError());
        Check(file, in status, rights);
    }

    /// <summary>Nobody but those who may write the file can be in there, or decide who is.</summary>
    private void Check(SegmentFile file, in Stat fileStatus, FilePermissions rights)
    {
        uint owner = _status.st_uid;
        if (owner != fileStatus.st_uid && owner != Syscall.geteuid() && owner != 0)
            throw new DeviceException(string.Create(CultureInfo.InvariantCulture, $"'{Path}', where the guests on '{file.Path}' meet, belongs to user {owner}, who could read and forge their packets; remove it, or move the network file to a directory of your own"));
        FilePermissions excess = _status.st_mode & AnyRights & ~rights;
        bool foreignGroup = (_status.st_mode & FilePermissions.S_IRWXG) != 0 && _status.st_gid != fileStatus.st_gid && (rights & FilePermissions.S_IRWXO) == 0;
        if (excess != 0 || foreignGroup)
            throw new DeviceException($"'{Path}', where the guests on '{file.Path}' meet, lets in users who may not write that file; end the guests on it and remove it, and it is made anew with the file's own rights");
    }

    private DeviceException Refused(SegmentFile file, HostErrno error) =>
        new($"cannot open '{Path}', where the guests on '{file.Path}' meet: {HostMessage.Of(error)}; the network file must be in a directory that can be written");

    /// <summary>
    /// By way of the opened directory: a socket's name has room for no more than 107 bytes, and no link leads elsewhere. Without
    /// /proc by its own name.
    /// </summary>
    private string Route(int slot) => _isByName ? NameOf(slot) : string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{_directory}/{slot}");
}
