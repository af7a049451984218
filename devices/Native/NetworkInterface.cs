// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using System.Text;
using static Tmds.Linux.LibC;

namespace Lguest.Devices.Native;

/// <summary>
/// netdevice(7) and the tun driver's ioctls. Every call answers 0 or an error number. Layout, and numbers that Tmds.LibC does not have, are
/// those of x86-64 and arm64 Linux.
/// </summary>
internal static unsafe class NetworkInterface
{
    /// <summary>Bytes of an interface's name, with its NUL.</summary>
    public const int NameSize = 16;

    private const int TunSetInterface = 0x400454CA;
    private const int TunSetOffload = 0x400454D0;
    private const int TunSetHeaderSize = 0x400454D8;
    private const uint ChecksumOffload = 1;
    private const ushort HeaderFlag = 0x4000;
    private const ushort TapFlag = 0x0002;
    private const ushort NoPacketInformation = 0x1000;

    private const int BridgeAddInterface = 0x89A2;
    private const short Up = 1;

    /// <summary>A socket to configure interfaces with: any would do.</summary>
    /// <returns>A descriptor, or a negated error number.</returns>
    public static int OpenControl()
    {
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        return fd < 0 ? -errno : fd;
    }

    /// <summary>Makes an opened /dev/net/tun a tap interface of that name, new or existing; <c>%d</c> picks a number.</summary>
    /// <param name="tunFd">The descriptor.</param>
    /// <param name="name">The name; becomes what it is.</param>
    /// <param name="headerBytes">Bytes of a virtio header in front of each packet, 10 or 12; 0: none.</param>
    public static int AttachTap(int tunFd, ref string name, int headerBytes)
    {
        Request request = Named(name);
        request.Flags = unchecked((short)(TapFlag | NoPacketInformation | (headerBytes > 0 ? HeaderFlag : 0)));
        int error = Call(tunFd, TunSetInterface, ref request);
        if (error == 0 && headerBytes > 0)
            error = ioctl(tunFd, TunSetHeaderSize, &headerBytes) < 0 ? errno : LeaveUnfinished(tunFd, false);
        if (error == 0)
            name = request.NameText();
        return error;
    }

    /// <summary>Whether packets from a tap with headers may have unfinished checksums. TCP is never left whole.</summary>
    public static int LeaveUnfinished(int tunFd, bool allowed) =>
        ioctl(tunFd, TunSetOffload, (void*)(nuint)(allowed ? ChecksumOffload : 0)) < 0 ? errno : 0;

    /// <summary>The interface's index.</summary>
    public static int IndexOf(int control, string name, out int index)
    {
        Request request = Named(name);
        int error = Call(control, SIOCGIFINDEX, ref request);
        index = request.Index;
        return error;
    }

    /// <summary>The interface's Ethernet address, 6 bytes.</summary>
    public static int HardwareAddress(int control, string name, Span<byte> address)
    {
        const int DataOffset = 2;
        Request request = Named(name);
        int error = Call(control, SIOCGIFHWADDR, ref request);
        new ReadOnlySpan<byte>(request.Union + DataOffset, address.Length).CopyTo(address);
        return error;
    }

    /// <summary>Gives the interface its IPv4 address and netmask.</summary>
    /// <param name="control">From <see cref="OpenControl"/>.</param>
    /// <param name="name">The interface.</param>
    /// <param name="address">Four bytes.</param>
    /// <param name="prefix">Bits of the network, or negative for the class that the address has had since 1981.</param>
    public static int Configure(int control, string name, ReadOnlySpan<byte> address, int prefix)
    {
        Request request = Named(name);
        SetInternet(ref request, address);
        int error = Call(control, SIOCSIFADDR, ref request);
        if (error != 0 || prefix < 0)
            return error;
        uint mask = prefix == 0 ? 0 : uint.MaxValue << (32 - prefix);
        request = Named(name);
        SetInternet(ref request, [(byte)(mask >> 24), (byte)(mask >> 16), (byte)(mask >> 8), (byte)mask]);
        return Call(control, SIOCSIFNETMASK, ref request);
    }

    /// <summary>Brings the interface up.</summary>
    public static int BringUp(int control, string name)
    {
        Request request = Named(name);
        int error = Call(control, SIOCGIFFLAGS, ref request);
        if (error != 0 || (request.Flags & Up) != 0)
            return error;
        request.Flags |= Up;
        return Call(control, SIOCSIFFLAGS, ref request);
    }

    /// <summary>Makes the interface of that index a port of a bridge.</summary>
    public static int AddToBridge(int control, string bridge, int index)
    {
        Request request = Named(bridge);
        request.Index = index;
        return Call(control, BridgeAddInterface, ref request);
    }

    private static Request Named(string name)
    {
        Request request = default;
        byte[] bytes = Encoding.UTF8.GetBytes(name);
        for (int i = 0; i < Math.Min(bytes.Length, NameSize - 1); i++)
            request.Name[i] = bytes[i];
        return request;
    }

    private static void SetInternet(ref Request request, ReadOnlySpan<byte> address)
    {
        const int AddressOffset = 4;
        request.Flags = (short)AF_INET;
        fixed (byte* union = request.Union)
            address.CopyTo(new Span<byte>(union + AddressOffset, address.Length));
    }

    private static int Call(int fd, int number, ref Request request)
    {
        fixed (Request* pointer = &request)
            return ioctl(fd, number, pointer) < 0 ? errno : 0;
    }

    /// <summary><c>struct ifreq</c>: a name, and a union of whatever a request is about.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 40)]
    private struct Request
    {
        [FieldOffset(0)]
        public fixed byte Name[NameSize];

        [FieldOffset(NameSize)]
        public short Flags;

        [FieldOffset(NameSize)]
        public int Index;

        [FieldOffset(NameSize)]
        public fixed byte Union[24];

        public string NameText()
        {
            fixed (byte* name = Name)
            {
                ReadOnlySpan<byte> bytes = new(name, NameSize);
                int end = bytes.IndexOf((byte)0);
                return Encoding.UTF8.GetString(end < 0 ? bytes : bytes[..end]);
            }
        }
    }
}
