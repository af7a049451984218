// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using System.Text;
using Mono.Unix.Native;

namespace Lguest.Devices.Network;

/// <summary>Which way a packet went.</summary>
public enum PacketDirection
{
    /// <summary>The guest receives it (pcapng: inbound).</summary>
    ToGuest = 1,

    /// <summary>The guest sends it (pcapng: outbound).</summary>
    FromGuest = 2,
}

/// <summary>
/// Packets on their way, written to a pcapng file for Wireshark and tcpdump (draft-ietf-opsawg-pcapng: section header,
/// an interface description for each of the guest's network devices, enhanced packet blocks with nanosecond times and their
/// direction). Each block is one write: the file may be read while it grows, and is whole however the launcher ends.
/// </summary>
public sealed unsafe class PacketCapture : IDisposable
{
    private const uint SectionHeader = 0x0A0D0D0A;
    private const uint InterfaceDescription = 1;
    private const uint EnhancedPacket = 6;
    private const uint ByteOrderMagic = 0x1A2B3C4D;
    private const int Ethernet = 1;
    private const int BlockOverhead = 12;

    /// <summary>Bytes of a packet that are kept. Guests of lguest send 1514 at most; 16 sections of a DMA could hold more.</summary>
    private const int SnapLength = 65536;

    private readonly byte[] _block = new byte[SnapLength + 128];
    private int _fd;
    private uint _interfaces;
    private int _length;

    private PacketCapture(int fd) => _fd = fd;

    /// <summary>Makes the file, or empties it.</summary>
    /// <exception cref="DeviceException">It cannot be written.</exception>
    public static PacketCapture Create(string path)
    {
        int fd = Syscall.open(path, OpenFlags.O_WRONLY | OpenFlags.O_CREAT | OpenFlags.O_TRUNC | OpenFlags.O_CLOEXEC, NativeConvert.FromOctalPermissionString("0644"));
        if (fd < 0)
            throw new DeviceException($"cannot write packets to '{path}': {HostMessage.Of(Stdlib.GetLastError())}");
        PacketCapture capture = new(fd);
        capture.Begin(SectionHeader);
        capture.Put32(ByteOrderMagic);
        capture.Put16(1);
        capture.Put16(0);

        // Length of the section: not known.
        capture.Put32(uint.MaxValue);
        capture.Put32(uint.MaxValue);
        capture.PutText(4, "lguest");
        capture.Put32(0);
        capture.End();
        return capture;
    }

    /// <summary>Adds an interface.</summary>
    /// <param name="name">What the guest will call it.</param>
    /// <param name="description">What it is.</param>
    public CaptureInterface AddInterface(string name, string description)
    {
        const ushort NameOption = 2;
        const ushort DescriptionOption = 3;
        const ushort TimeResolutionOption = 9;
        const byte Nanoseconds = 9;
        Begin(InterfaceDescription);
        Put16(Ethernet);
        Put16(0);
        Put32(SnapLength);
        PutText(NameOption, name);
        PutText(DescriptionOption, description);
        Put16(TimeResolutionOption);
        Put16(1);
        Put32(Nanoseconds);
        Put32(0);
        End();
        return new CaptureInterface(this, _interfaces++);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_fd >= 0)
            _ = Syscall.close(_fd);
        _fd = -1;
    }

    /// <summary>Writes a packet.</summary>
    internal void Record(uint interfaceId, GuestVector packet, int length, PacketDirection direction)
    {
        if (_fd < 0)
            return;
        int kept = Math.Min(length, SnapLength);
        ulong now = (ulong)(DateTime.UtcNow - DateTime.UnixEpoch).Ticks * (ulong)TimeSpan.NanosecondsPerTick;
        Begin(EnhancedPacket);
        Put32(interfaceId);
        Put32((uint)(now >> 32));
        Put32((uint)now);
        Put32((uint)kept);
        Put32((uint)length);
        packet.CopyTo(_block.AsSpan(_length, kept));
        _length += kept;
        Align();
        const ushort FlagsOption = 2;
        Put16(FlagsOption);
        Put16(sizeof(uint));
        Put32((uint)direction);
        Put32(0);
        End();
    }

    private void Begin(uint type)
    {
        _length = 0;
        Put32(type);
        Put32(0);
    }

    private void End()
    {
        uint total = (uint)_length + sizeof(uint);
        BinaryPrimitives.WriteUInt32LittleEndian(_block.AsSpan(sizeof(uint)), total);
        Put32(total);
        if (total < BlockOverhead)
            throw new InvalidOperationException("a block without a beginning");
        fixed (byte* start = _block)
        {
            long done = Syscall.write(_fd, start, total);

            // A full disk ends the capture, not the guest.
            if (done != total)
                Dispose();
        }
    }

    private void Put16(ushort value)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(_block.AsSpan(_length), value);
        _length += sizeof(ushort);
    }

    private void Put32(uint value)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(_block.AsSpan(_length), value);
        _length += sizeof(uint);
    }

    private void PutText(ushort option, string text)
    {
        const int Longest = 256;
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        int length = Math.Min(bytes.Length, Longest);
        Put16(option);
        Put16((ushort)length);
        bytes.AsSpan(0, length).CopyTo(_block.AsSpan(_length));
        _length += length;
        Align();
    }

    private void Align()
    {
        while (_length % sizeof(uint) != 0)
            _block[_length++] = 0;
    }
}

/// <summary>One network device's part of a capture.</summary>
public sealed class CaptureInterface
{
    private readonly PacketCapture _capture;
    private readonly uint _id;

    internal CaptureInterface(PacketCapture capture, uint id)
    {
        _capture = capture;
        _id = id;
    }

    /// <summary>Writes a packet down.</summary>
    /// <param name="packet">Its bytes, from the first.</param>
    /// <param name="length">How many.</param>
    /// <param name="direction">Which way it goes.</param>
    public void Record(GuestVector packet, int length, PacketDirection direction) => _capture.Record(_id, packet, length, direction);
}
