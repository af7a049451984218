// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using Lguest.Devices.Native;
using Mono.Unix.Native;
using HostErrno = Mono.Unix.Native.Errno;

namespace Lguest.Devices;

/// <summary>
/// A stream socket with a name in the file system, for this user alone. It appears there under its name complete: with its
/// rights, and somebody listening. What is there before is replaced only if it is a socket that nobody listens at, and what is
/// removed in the end is only what was made.
/// </summary>
public sealed class SocketFile : IDisposable
{
    /// <summary>Callers that may wait until they are taken.</summary>
    private const int Backlog = 128;

    private readonly string _path;
    private readonly string _name;
    private readonly int _folder;
    private readonly nint _heldName;
    private Stat _status;
    private bool _there;

    private SocketFile(string path)
    {
        _path = path;
        _name = Path.GetFileName(path);
        if (_name.Length == 0)
            throw new DeviceException($"'{path}' names a folder; name a file in it");
        _heldName = HeldNames.Hold(_name);
        _folder = Folder.Open(Path.GetDirectoryName(path));
        if (_folder < 0)
            throw Refused(NativeConvert.ToErrno(-_folder));
    }

    /// <summary>The listening socket. Whoever uses it closes it.</summary>
    public int Descriptor { get; private set; } = -1;

    /// <summary>Listens under a name.</summary>
    /// <exception cref="DeviceException">The name cannot be had; the message says why, and names the path.</exception>
    public static SocketFile Listen(string path)
    {
        SocketFile file = new(path);
        try
        {
            file.Make();
            return file;
        }
        catch
        {
            if (file.Descriptor >= 0)
                _ = Syscall.close(file.Descriptor);
            _ = Syscall.close(file._folder);
            throw;
        }
    }

    /// <summary>Connects to a socket of that kind.</summary>
    /// <returns>A socket that waits, or a negative number.</returns>
    public static int Connect(string path, out string problem)
    {
        problem = string.Empty;
        if (Syscall.stat(path, out Stat status) == 0 && !IsSocket(in status))
        {
            problem = "it is not a socket";
            return -1;
        }

        int fd = PacketSocket.Connect(path, PacketSocket.Kind.Stream);
        if (fd < 0)
        {
            problem = NativeConvert.ToErrno(-fd) switch
            {
                HostErrno.ENOENT or HostErrno.ENOTDIR => "there is no such socket",
                HostErrno.ECONNREFUSED => "whoever listened there is gone",
                HostErrno.EACCES or HostErrno.EPERM => "it is another user's",
                HostErrno error => HostMessage.Of(error),
            };
        }

        return fd;
    }

    /// <summary>Removes the name, if it still is that of our socket.</summary>
    public void Dispose()
    {
        if (_there && _heldName != 0 && Look(_name, out Stat now) && IsSame(in now, in _status))
            HeldNames.Remove(_folder, _heldName);
        if (_there)
            _ = Syscall.close(_folder);
        _there = false;
    }

    private static bool IsSocket(in Stat status) => (status.st_mode & FilePermissions.S_IFMT) == FilePermissions.S_IFSOCK;

    private static bool IsSame(in Stat one, in Stat other) => (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino);

    private void Make()
    {
        // Made under a name that nobody looks for: under its own it is found only when somebody listens, by other launchers too.
        string hidden = string.Create(CultureInfo.InvariantCulture, $".lguest-{Environment.ProcessId}-{Random.Shared.Next()}");
        int fd = PacketSocket.Listen(Route(hidden), Backlog, PacketSocket.Kind.Stream, isPrivate: true);

        // Without /proc: by its whole name, if there is room for it.
        if (fd == -NativeConvert.FromErrno(HostErrno.ENOENT) && Path.Combine(Path.GetDirectoryName(_path) ?? string.Empty, hidden) is var whole && whole.Length < PacketSocket.PathSize)
            fd = PacketSocket.Listen(whole, Backlog, PacketSocket.Kind.Stream, isPrivate: true);
        if (fd < 0)
            throw Refused(NativeConvert.ToErrno(-fd));
        Descriptor = fd;
        try
        {
            if (!Look(hidden, out _status))
                throw Refused(Stdlib.GetLastError());
            TakeName(hidden);
            _there = true;
        }
        finally
        {
            _ = Syscall.unlinkat(_folder, hidden, 0);
        }
    }

    private void TakeName(string hidden)
    {
        // A link never replaces anything.
        if (Syscall.linkat(_folder, hidden, _folder, _name, 0) == 0)
            return;
        HostErrno error = Stdlib.GetLastError();
        bool exists = Look(_name, out Stat there);
        if (error != HostErrno.EEXIST && exists)
            throw Refused(error);
        if (exists)
            CheckDeserted(in there);

        // Replaced in one step; or on a file system without links, where nothing is there.
        if (Syscall.renameat(_folder, hidden, _folder, _name) != 0)
            throw Refused(Stdlib.GetLastError());
    }

    private void CheckDeserted(in Stat there)
    {
        if (!IsSocket(in there))
            throw new DeviceException($"cannot listen at '{_path}': {KindOf(in there)} of that name is there, and only a socket that nobody uses any more is replaced; name another");
        int probe = PacketSocket.Connect(Route(_name), PacketSocket.Kind.Stream);
        if (probe >= 0)
        {
            int process = PacketSocket.PeerProcess(probe);
            _ = Syscall.close(probe);
            throw new DeviceException(string.Create(CultureInfo.InvariantCulture, $"cannot listen at '{_path}': process {process} does already (another guest?); each needs a socket of its own"));
        }

        HostErrno error = NativeConvert.ToErrno(-probe);
        if (error is HostErrno.EAGAIN or HostErrno.EPROTOTYPE)
            throw new DeviceException($"cannot listen at '{_path}': somebody does already (another guest?); each needs a socket of its own");
        if (error is not (HostErrno.ECONNREFUSED or HostErrno.ENOENT))
            throw Refused(error);

        // Whoever made another in the meantime is left in peace.
        if (Look(_name, out Stat now) && !IsSame(in now, in there))
            throw new DeviceException($"cannot listen at '{_path}': somebody just began to (another guest?); each needs a socket of its own");
    }

    private static string KindOf(in Stat status) => (status.st_mode & FilePermissions.S_IFMT) switch
    {
        FilePermissions.S_IFREG => "a file",
        FilePermissions.S_IFDIR => "a directory",
        FilePermissions.S_IFLNK => "a symbolic link",
        FilePermissions.S_IFIFO => "a pipe",
        _ => "a device",
    };

    private bool Look(string name, out Stat status) => Syscall.fstatat(_folder, name, out status, AtFlags.AT_SYMLINK_NOFOLLOW) == 0;

    /// <summary>By way of the opened folder: the name of a socket has little room, and the folder's may be long.</summary>
    private string Route(string name) => string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{_folder}/{name}");

    private DeviceException Refused(HostErrno error) => new($"cannot listen at '{_path}': {HostMessage.At(_path, error)}");
}
