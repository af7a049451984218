// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using Lguest.Devices.Native;
using Lguest.GuestAbi;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace Lguest.Devices.Backends.Network;

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
public sealed unsafe class SegmentPorts : IDisposable
{
    private const string Suffix = ".ports";
    private const int LongestSlot = 4;
    private static readonly mode_t s_anyRights = S_IRWXU | S_IRWXG | S_IRWXO;
    private static readonly mode_t s_none = default;

    private readonly int _folder;
    private readonly bool _isByName = !FileStatus.TryGet("/proc/self/fd", out _);
    private nint[] _names = [];
    private nint[] _addresses = [];
    private nint _directoryName;
    private int _directory;
    private FileStatus _status;
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
            if (!FileStatus.TryGet(file.Descriptor, out FileStatus status))
                throw ports.Refused(file, (HostErrno)errno);
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
        byte[] name = PathBytes.Of(Name(slot));
        fixed (byte* bytes = name)
            _ = unlinkat(_directory, bytes, 0);
        int fd = CanGoThere ? PacketSocket.Listen(Route(slot), NetPage.Slots) : -ENOENT;
        if (fd < 0)
            throw new DeviceException($"cannot make a socket in '{Path}': {HostMessage.Of((HostErrno)(-fd))}");

        // Who may enter the directory may connect.
        fixed (byte* bytes = name)
            _ = fchmodat(_directory, bytes, S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP | S_IROTH | S_IWOTH, 0);
        HoldNames();
        return fd;
    }

    /// <summary>Connects to the owner of a slot.</summary>
    /// <returns>A socket, or a negated error number.</returns>
    public int Connect(int slot)
    {
        if (_directory < 0 || !CanGoThere)
            return -ENOENT;
        int fd = _addresses.Length > 0 ? PacketSocket.Connect(_addresses[slot]) : PacketSocket.Connect(Route(slot));
        if (fd < 0 || Admits(fd))
            return fd;
        _ = close(fd);
        return -EACCES;
    }

    /// <summary>Whether the user at the other end of a connection may be on the segment, as far as the file's rights name him.</summary>
    public bool Admits(int connection) =>
        !_isPrivate || (PacketSocket.PeerUser(connection) is { } user && (user == _owner || user == geteuid() || user == 0));

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
            _ = close(_directory);
        if (_folder >= 0)
            _ = close(_folder);
        _directory = -1;
    }

    /// <summary>Whether the name still is that of the directory that was opened.</summary>
    private bool IsStillThere =>
        FileStatus.TryGet(_folder, DirectoryName, out FileStatus now) && now.Identity == _status.Identity;

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

    private void Enter(SegmentFile file, in FileStatus status, bool create)
    {
        // Entering takes the right that writing the file takes.
        mode_t rights = S_IRWXU;
        if ((status.Mode & S_IWGRP) != s_none)
            rights |= S_IRWXG;
        if ((status.Mode & S_IWOTH) != s_none)
            rights |= S_IRWXO;
        _owner = status.Owner;
        _isPrivate = rights == S_IRWXU;

        bool made;
        HostErrno makeError;
        fixed (byte* name = PathBytes.Of(DirectoryName))
        {
            made = create && mkdirat(_folder, name, S_IRWXU) == 0;
            makeError = made ? 0 : (HostErrno)errno;
            _directory = openat(_folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
        }

        if (_directory < 0)
        {
            HostErrno error = (HostErrno)errno;
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
            if (fchown(_directory, status.Owner, status.Group) != 0)
                _ = fchown(_directory, uint.MaxValue, status.Group);
            _ = fchmod(_directory, rights | S_ISVTX);
        }

        if (!FileStatus.TryGet(_directory, out _status))
            throw Refused(file, (HostErrno)errno);
        Check(file, in status, rights);
    }

    /// <summary>Nobody but those who may write the file can be in there, or decide who is.</summary>
    private void Check(SegmentFile file, in FileStatus fileStatus, mode_t rights)
    {
        uint owner = _status.Owner;
        if (owner != fileStatus.Owner && owner != geteuid() && owner != 0)
            throw new DeviceException(string.Create(CultureInfo.InvariantCulture, $"'{Path}', where the guests on '{file.Path}' meet, belongs to user {owner}, who could read and forge their packets; remove it, or move the network file to a directory of your own"));
        mode_t excess = _status.Mode & s_anyRights & ~rights;
        bool foreignGroup = (_status.Mode & S_IRWXG) != s_none && _status.Group != fileStatus.Group && (rights & S_IRWXO) == s_none;
        if (excess != s_none || foreignGroup)
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
