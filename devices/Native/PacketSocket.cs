// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using System.Text;
using Mono.Unix.Native;

namespace Lguest.Devices.Native;

/// <summary>
/// Unix sockets that keep messages apart (SOCK_SEQPACKET), without a wait and without a signal, and stream sockets. Calls answer
/// a negated error number where they fail.
/// </summary>
internal static unsafe partial class PacketSocket
{
    /// <summary>Bytes of <c>sun_path</c>, with its NUL.</summary>
    public const int PathSize = 108;

    public const int EAGAIN = 11;
    public const int EINTR = 4;

    /// <summary>The two kinds of sockets, with what socket(2) is given for them.</summary>
    public enum Kind
    {
        /// <summary>SOCK_STREAM; calls wait.</summary>
        Stream = 1,

        /// <summary>SOCK_SEQPACKET | SOCK_NONBLOCK.</summary>
        Packets = 5 | NonBlocking,
    }

    private const int UnixFamily = 1;
    private const int NonBlocking = 0x800;
    private const int CloseOnExec = 0x80000;
    private const int DontWait = 0x40;
    private const int NoSignal = 0x4000;
    private const int SocketLevel = 1;
    private const int PeerCredentials = 17;

    /// <summary>A socket that others connect to under a name in the file system.</summary>
    /// <param name="path">The name.</param>
    /// <param name="backlog">Callers that may wait.</param>
    /// <param name="kind">Which kind.</param>
    /// <param name="isPrivate">Nobody but the user may connect, from the first moment on; else the umask decides.</param>
    public static int Listen(string path, int backlog, Kind kind = Kind.Packets, bool isPrivate = false)
    {
        int fd = socket(UnixFamily, (int)kind | CloseOnExec, 0);
        if (fd < 0)
            return -Marshal.GetLastPInvokeError();

        // Linux makes the file with the mode of the socket: no moment passes in which others may connect.
        if (isPrivate)
            _ = Syscall.fchmod(fd, FilePermissions.S_IRUSR | FilePermissions.S_IWUSR);
        Address address = Named(path);
        if (bind(fd, &address, sizeof(Address)) == 0 && listen(fd, backlog) == 0)
            return fd;
        int error = Marshal.GetLastPInvokeError();
        _ = Syscall.close(fd);
        return -error;
    }

    /// <summary>Connects to such a socket. EAGAIN when too many wait already, ECONNREFUSED or ENOENT when nobody listens.</summary>
    public static int Connect(string path, Kind kind = Kind.Packets)
    {
        int fd = socket(UnixFamily, (int)kind | CloseOnExec, 0);
        if (fd < 0)
            return -Marshal.GetLastPInvokeError();
        Address address = Named(path);
        if (connect(fd, &address, sizeof(Address)) == 0)
            return fd;
        int error = Marshal.GetLastPInvokeError();
        _ = Syscall.close(fd);
        return -error;
    }

    /// <summary>An address where a sandbox knows it from all others: <see cref="HeldNames"/>.</summary>
    public static nint Hold(string path)
    {
        Address address = Named(path);
        return HeldNames.Hold(new ReadOnlySpan<byte>(&address, sizeof(Address)));
    }

    /// <summary>Connects to such an address, of a socket of packets.</summary>
    public static int Connect(nint address)
    {
        int fd = socket(UnixFamily, (int)Kind.Packets | CloseOnExec, 0);
        if (fd < 0)
            return -Marshal.GetLastPInvokeError();
        if (connect(fd, (Address*)address, HeldNames.SocketAddressSize) == 0)
            return fd;
        int error = Marshal.GetLastPInvokeError();
        _ = Syscall.close(fd);
        return -error;
    }

    /// <summary>Takes a connection.</summary>
    public static int Accept(int listener)
    {
        int fd = accept4(listener, null, null, NonBlocking | CloseOnExec);
        return fd < 0 ? -Marshal.GetLastPInvokeError() : fd;
    }

    /// <summary>A connected pair of streams, of which a child is going to inherit the second.</summary>
    public static int MakePair(out int ours, out int childs)
    {
        int* pair = stackalloc int[2];
        ours = childs = -1;
        if (socketpair(UnixFamily, (int)Kind.Stream | CloseOnExec, 0, pair) != 0)
            return -Marshal.GetLastPInvokeError();
        ours = pair[0];
        childs = pair[1];
        return 0;
    }

    /// <summary>The process at the other end, as the kernel knows it: of a listener, who listened. 0: unknown.</summary>
    public static int PeerProcess(int fd)
    {
        // struct ucred: pid, uid, gid.
        int* credentials = stackalloc int[3];
        int length = 3 * sizeof(int);
        return getsockopt(fd, SocketLevel, PeerCredentials, credentials, &length) == 0 ? credentials[0] : 0;
    }

    /// <summary>The user at the other end, as the kernel knows him: of a listener, who listened. Null: unknown.</summary>
    public static uint? PeerUser(int fd)
    {
        int* credentials = stackalloc int[3];
        int length = 3 * sizeof(int);
        return getsockopt(fd, SocketLevel, PeerCredentials, credentials, &length) == 0 ? (uint)credentials[1] : null;
    }

    /// <summary>Sends one message, or as much of a stream as there is room for.</summary>
    /// <returns>Bytes sent, or a negated error number.</returns>
    public static long Send(int fd, Iovec* parts, int count)
    {
        Message message = new() { Parts = parts, Count = (nuint)count };
        while (true)
        {
            nint sent = sendmsg(fd, &message, DontWait | NoSignal);
            if (sent >= 0)
                return sent;
            int error = Marshal.GetLastPInvokeError();
            if (error != EINTR)
                return -error;
        }
    }

    /// <summary>Receives one message (what does not fit of it is lost), or what there is of a stream.</summary>
    /// <returns>Bytes stored, 0 at the end, or a negated error number.</returns>
    public static long Receive(int fd, Iovec* parts, int count)
    {
        Message message = new() { Parts = parts, Count = (nuint)count };
        while (true)
        {
            nint received = recvmsg(fd, &message, DontWait);
            if (received >= 0)
                return received;
            int error = Marshal.GetLastPInvokeError();
            if (error != EINTR)
                return -error;
        }
    }

    /// <summary>Bytes, with the kernel's overhead, that were sent and that the other end has not read yet; 0 when that cannot be known.</summary>
    public static int Unread(int fd)
    {
        int bytes = 0;
        return ioctl(fd, OutputQueue, &bytes) == 0 ? bytes : 0;
    }

    /// <summary>Lets children inherit a descriptor.</summary>
    public static void Inherit(int fd) => _ = fcntl(fd, SetDescriptorFlags, 0);

    private const int SetDescriptorFlags = 2;
    private const nuint OutputQueue = 0x5411;

    private static Address Named(string path)
    {
        Address address = new() { Family = UnixFamily };
        byte[] bytes = Encoding.UTF8.GetBytes(path);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(bytes.Length, PathSize, nameof(path));
        for (int i = 0; i < bytes.Length; i++)
            address.Path[i] = bytes[i];
        return address;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int socket(int family, int type, int protocol);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int ioctl(int fd, nuint request, int* value);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int socketpair(int family, int type, int protocol, int* pair);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int bind(int fd, Address* address, int length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int listen(int fd, int backlog);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int connect(int fd, Address* address, int length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int accept4(int fd, void* address, int* length, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int getsockopt(int fd, int level, int option, void* value, int* length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint sendmsg(int fd, Message* message, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint recvmsg(int fd, Message* message, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fcntl(int fd, int command, int argument);

    /// <summary><c>struct sockaddr_un</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Address
    {
        public ushort Family;
        public fixed byte Path[PathSize];
    }

    /// <summary><c>struct msghdr</c> of 64-bit Linux.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Message
    {
        public void* Name;
        public int NameLength;
        public Iovec* Parts;
        public nuint Count;
        public void* Control;
        public nuint ControlLength;
        public int Flags;
    }
}
