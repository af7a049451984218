// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace Lguest.Devices.Backends.Network;

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
/// direction). Each block is one write: the file may be read while it grows, and is whole however the launcher ends. A file that
/// takes no more ends the capture and not the guest.
/// </summary>
public sealed class PacketCapture
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
    private readonly OutputFile _file;
    private readonly List<byte> _head = [];
    private Action<string>? _say;
    private uint _interfaces;
    private int _length;
    private long _written;
    private bool _started;
    private bool _failed;

    /// <summary>A capture that has not started: its file is left as it is.</summary>
    /// <param name="file">Where packets go; its owner closes it.</param>
    public PacketCapture(OutputFile file)
    {
        _file = file;
        Begin(SectionHeader);
        Put32(ByteOrderMagic);
        Put16(1);
        Put16(0);

        // Length of the section: not known.
        Put32(uint.MaxValue);
        Put32(uint.MaxValue);
        PutText(4, "lguest");
        Put32(0);
        End();
    }

    /// <summary>The guest is about to run: writes what is known of its interfaces. Once; a guest that restarts goes on with the same capture.</summary>
    /// <param name="say">Hears when the file cannot be written any more.</param>
    public void Start(Action<string> say)
    {
        if (_started)
            return;
        _started = true;
        _say = say;
        Write(CollectionsMarshal.AsSpan(_head));
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

    /// <summary>Writes a packet.</summary>
    internal void Record(uint interfaceId, GuestVector packet, int length, PacketDirection direction, int skip)
    {
        if (_failed)
            return;
        int kept = Math.Min(length, SnapLength);
        ulong now = (ulong)(DateTime.UtcNow - DateTime.UnixEpoch).Ticks * (ulong)TimeSpan.NanosecondsPerTick;
        Begin(EnhancedPacket);
        Put32(interfaceId);
        Put32((uint)(now >> 32));
        Put32((uint)now);
        Put32((uint)kept);
        Put32((uint)length);
        packet.CopyTo(_block.AsSpan(_length, kept), skip);
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
        ReadOnlySpan<byte> block = _block.AsSpan(0, (int)total);
        if (_started)
            Write(block);
        else
            _head.AddRange(block);
    }

    private void Write(ReadOnlySpan<byte> blocks)
    {
        if (_failed)
            return;
        HostErrno error = _file.Write(blocks);
        if (error == 0)
        {
            _written += blocks.Length;
            return;
        }

        // Half a block would make a damaged file of a short one.
        _failed = true;
        _ = _file.SetLength(_written);
        _say?.Invoke($"packets cannot be written to '{_file.Path}' any more: {HostMessage.Of(error)}; the capture ends here, and the guest goes on");
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
    /// <param name="skip">Bytes of a header in front of it, which are not its own.</param>
    public void Record(GuestVector packet, int length, PacketDirection direction, int skip = 0) => _capture.Record(_id, packet, length, direction, skip);
}
