// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace Lguest.Devices.Native;

/// <summary>
/// Unix sockets that keep messages apart (SOCK_SEQPACKET), without a wait and without a signal, and stream sockets. Calls answer
/// a negated error number where they fail.
/// </summary>
internal static unsafe class PacketSocket
{
    /// <summary>Bytes of <c>sun_path</c>, with its NUL.</summary>
    public const int PathSize = 108;

    /// <summary>The two kinds of sockets.</summary>
    public enum Kind
    {
        /// <summary>SOCK_STREAM; calls wait.</summary>
        Stream,

        /// <summary>SOCK_SEQPACKET | SOCK_NONBLOCK.</summary>
        Packets,
    }

    /// <summary>A socket that others connect to under a name in the file system.</summary>
    /// <param name="path">The name.</param>
    /// <param name="backlog">Callers that may wait.</param>
    /// <param name="kind">Which kind.</param>
    /// <param name="isPrivate">Nobody but the user may connect, from the first moment on; else the umask decides.</param>
    public static int Listen(string path, int backlog, Kind kind = Kind.Packets, bool isPrivate = false)
    {
        int fd = Open(kind);
        if (fd < 0)
            return -errno;

        // Linux makes the file with the mode of the socket: no moment passes in which others may connect.
        if (isPrivate)
            _ = fchmod(fd, S_IRUSR | S_IWUSR);
        sockaddr_un address = Named(path);
        if (bind(fd, (sockaddr*)&address, sizeof(sockaddr_un)) == 0 && listen(fd, backlog) == 0)
            return fd;
        int error = errno;
        _ = close(fd);
        return -error;
    }

    /// <summary>Connects to such a socket. EAGAIN when too many wait already, ECONNREFUSED or ENOENT when nobody listens.</summary>
    public static int Connect(string path, Kind kind = Kind.Packets)
    {
        int fd = Open(kind);
        if (fd < 0)
            return -errno;
        sockaddr_un address = Named(path);
        if (connect(fd, (sockaddr*)&address, sizeof(sockaddr_un)) == 0)
            return fd;
        int error = errno;
        _ = close(fd);
        return -error;
    }

    /// <summary>An address where a sandbox knows it from all others: <see cref="HeldNames"/>.</summary>
    public static nint Hold(string path)
    {
        sockaddr_un address = Named(path);
        return HeldNames.Hold(new ReadOnlySpan<byte>(&address, sizeof(sockaddr_un)));
    }

    /// <summary>Connects to such an address, of a socket of packets.</summary>
    public static int Connect(nint address)
    {
        int fd = Open(Kind.Packets);
        if (fd < 0)
            return -errno;
        if (connect(fd, (sockaddr*)address, HeldNames.SocketAddressSize) == 0)
            return fd;
        int error = errno;
        _ = close(fd);
        return -error;
    }

    /// <summary>Takes a connection.</summary>
    public static int Accept(int listener)
    {
        int fd = accept4(listener, null, null, SOCK_NONBLOCK | SOCK_CLOEXEC);
        return fd < 0 ? -errno : fd;
    }

    /// <summary>A connected pair of streams, of which a child is going to inherit the second.</summary>
    public static int MakePair(out int ours, out int childs)
    {
        int* pair = stackalloc int[2];
        ours = childs = -1;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
            return -errno;
        ours = pair[0];
        childs = pair[1];
        return 0;
    }

    /// <summary>The process at the other end, as the kernel knows it: of a listener, who listened. 0: unknown.</summary>
    public static int PeerProcess(int fd) => TryPeer(fd, out ucred peer) ? peer.pid : 0;

    /// <summary>The user at the other end, as the kernel knows him: of a listener, who listened. Null: unknown.</summary>
    public static uint? PeerUser(int fd) => TryPeer(fd, out ucred peer) ? (uint)peer.uid : null;

    /// <summary>Sends one message, or as much of a stream as there is room for.</summary>
    /// <returns>Bytes sent, or a negated error number.</returns>
    public static long Send(int fd, iovec* parts, int count)
    {
        msghdr message = new() { msg_iov = parts, msg_iovlen = count };
        while (true)
        {
            long sent = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
            if (sent >= 0)
                return sent;
            int error = errno;
            if (error != EINTR)
                return -error;
        }
    }

    /// <summary>Receives one message (what does not fit of it is lost), or what there is of a stream.</summary>
    /// <returns>Bytes stored, 0 at the end, or a negated error number.</returns>
    public static long Receive(int fd, iovec* parts, int count)
    {
        msghdr message = new() { msg_iov = parts, msg_iovlen = count };
        while (true)
        {
            long received = recvmsg(fd, &message, MSG_DONTWAIT);
            if (received >= 0)
                return received;
            int error = errno;
            if (error != EINTR)
                return -error;
        }
    }

    /// <summary>Bytes, with the kernel's overhead, that were sent and that the other end has not read yet; 0 when that cannot be known.</summary>
    public static int Unread(int fd)
    {
        int bytes = 0;
        return ioctl(fd, TIOCOUTQ, &bytes) == 0 ? bytes : 0;
    }

    /// <summary>Lets children inherit a descriptor.</summary>
    public static void Inherit(int fd) => _ = fcntl(fd, F_SETFD, 0);

    private static int Open(Kind kind) => socket(AF_UNIX, (kind == Kind.Stream ? SOCK_STREAM : SOCK_SEQPACKET | SOCK_NONBLOCK) | SOCK_CLOEXEC, 0);

    private static bool TryPeer(int fd, out ucred peer)
    {
        socklen_t length = sizeof(ucred);
        fixed (ucred* target = &peer)
            return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, target, &length) == 0;
    }

    private static sockaddr_un Named(string path)
    {
        sockaddr_un address = new() { sun_family = AF_UNIX };
        byte[] bytes = Encoding.UTF8.GetBytes(path);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(bytes.Length, PathSize, nameof(path));
        for (int i = 0; i < bytes.Length; i++)
            address.sun_path[i] = bytes[i];
        return address;
    }
}
