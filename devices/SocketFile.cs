// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using Lguest.Devices.Native;
using static Tmds.Linux.LibC;

namespace Lguest.Devices;

/// <summary>
/// A stream socket with a name in the file system, for this user alone. It appears there under its name complete: with its
/// rights, and somebody listening. What is there before is replaced only if it is a socket that nobody listens at, and what is
/// removed in the end is only what was made.
/// </summary>
public sealed unsafe class SocketFile : IDisposable
{
    /// <summary>Callers that may wait until they are taken.</summary>
    private const int Backlog = 128;

    private readonly string _path;
    private readonly string _name;
    private readonly int _folder;
    private readonly nint _heldName;
    private FileStatus _status;
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
            throw Refused((HostErrno)(-_folder));
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
                _ = close(file.Descriptor);
            _ = close(file._folder);
            throw;
        }
    }

    /// <summary>Connects to a socket of that kind.</summary>
    /// <returns>A socket that waits, or a negative number.</returns>
    public static int Connect(string path, out string problem)
    {
        problem = string.Empty;
        if (FileStatus.TryGet(path, out FileStatus status) && !status.IsSocket)
        {
            problem = "it is not a socket";
            return -1;
        }

        int fd = PacketSocket.Connect(path, PacketSocket.Kind.Stream);
        if (fd < 0)
        {
            problem = (HostErrno)(-fd) switch
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
        if (_there && _heldName != 0 && Look(_name, out FileStatus now) && now.Identity == _status.Identity)
            HeldNames.Remove(_folder, _heldName);
        if (_there)
            _ = close(_folder);
        _there = false;
    }

    private void Make()
    {
        // Made under a name that nobody looks for: under its own it is found only when somebody listens, by other launchers too.
        string hidden = string.Create(CultureInfo.InvariantCulture, $".lguest-{Environment.ProcessId}-{Random.Shared.Next()}");
        int fd = PacketSocket.Listen(Route(hidden), Backlog, PacketSocket.Kind.Stream, isPrivate: true);

        // Without /proc: by its whole name, if there is room for it.
        if (fd == -ENOENT && Path.Combine(Path.GetDirectoryName(_path) ?? string.Empty, hidden) is var whole && whole.Length < PacketSocket.PathSize)
            fd = PacketSocket.Listen(whole, Backlog, PacketSocket.Kind.Stream, isPrivate: true);
        if (fd < 0)
            throw Refused((HostErrno)(-fd));
        Descriptor = fd;
        try
        {
            if (!Look(hidden, out _status))
                throw Refused((HostErrno)errno);
            TakeName(hidden);
            _there = true;
        }
        finally
        {
            fixed (byte* name = PathBytes.Of(hidden))
                _ = unlinkat(_folder, name, 0);
        }
    }

    private void TakeName(string hidden)
    {
        // A link never replaces anything.
        fixed (byte* from = PathBytes.Of(hidden), to = PathBytes.Of(_name))
        {
            if (linkat(_folder, from, _folder, to, 0) == 0)
                return;
        }

        HostErrno error = (HostErrno)errno;
        bool exists = Look(_name, out FileStatus there);
        if (error != HostErrno.EEXIST && exists)
            throw Refused(error);
        if (exists)
            CheckDeserted(in there);

        // Replaced in one step; or on a file system without links, where nothing is there.
        if (Renaming.Rename(_folder, hidden, _folder, _name) != 0)
            throw Refused((HostErrno)errno);
    }

    private void CheckDeserted(in FileStatus there)
    {
        if (!there.IsSocket)
            throw new DeviceException($"cannot listen at '{_path}': {KindOf(in there)} of that name is there, and only a socket that nobody uses any more is replaced; name another");
        int probe = PacketSocket.Connect(Route(_name), PacketSocket.Kind.Stream);
        if (probe >= 0)
        {
            int process = PacketSocket.PeerProcess(probe);
            _ = close(probe);
            throw new DeviceException(string.Create(CultureInfo.InvariantCulture, $"cannot listen at '{_path}': process {process} does already (another guest?); each needs a socket of its own"));
        }

        HostErrno error = (HostErrno)(-probe);
        if (error is HostErrno.EAGAIN or HostErrno.EPROTOTYPE)
            throw new DeviceException($"cannot listen at '{_path}': somebody does already (another guest?); each needs a socket of its own");
        if (error is not (HostErrno.ECONNREFUSED or HostErrno.ENOENT))
            throw Refused(error);

        // Whoever made another in the meantime is left in peace.
        if (Look(_name, out FileStatus now) && now.Identity != there.Identity)
            throw new DeviceException($"cannot listen at '{_path}': somebody just began to (another guest?); each needs a socket of its own");
    }

    private static string KindOf(in FileStatus status) => status switch
    {
        { IsRegular: true } => "a file",
        { IsFolder: true } => "a directory",
        { IsLink: true } => "a symbolic link",
        { IsPipe: true } => "a pipe",
        _ => "a device",
    };

    private bool Look(string name, out FileStatus status) => FileStatus.TryGet(_folder, name, out status);

    /// <summary>By way of the opened folder: the name of a socket has little room, and the folder's may be long.</summary>
    private string Route(string name) => string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{_folder}/{name}");

    private DeviceException Refused(HostErrno error) => new($"cannot listen at '{_path}': {HostMessage.At(_path, error)}");
}
