// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using System.Text;
using Lguest.Devices;
using Lguest.Devices.Models.NineP;
using Lguest.GuestAbi.NineP;

namespace Lguest.Tests.Devices.NineP;

/// <summary>An answer, to be read from its beginning.</summary>
internal sealed class NinePAnswer(byte[] bytes)
{
    private int _at = NinePFormat.Header;

    /// <summary>The error, or 0.</summary>
    public HostErrno Error => bytes[4] == (byte)NinePMessage.ErrorAnswer ? (HostErrno)BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(7)) : 0;

    public byte Kind => bytes[4];

    public ushort Tag => BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(5));

    public bool AtEnd => _at == bytes.Length;

    public byte Byte() => bytes[_at++];

    public ushort Word() => BinaryPrimitives.ReadUInt16LittleEndian(Take(2));

    public uint Double() => BinaryPrimitives.ReadUInt32LittleEndian(Take(4));

    public ulong Quad() => BinaryPrimitives.ReadUInt64LittleEndian(Take(8));

    public string Text() => Encoding.UTF8.GetString(Take(Word()));

    public (byte Kind, uint Version, ulong Path) Qid() => (Byte(), Double(), Quad());

    public ReadOnlySpan<byte> Take(int length)
    {
        _at += length;
        return bytes.AsSpan(_at - length, length);
    }
}

/// <summary>The guest's end of the protocol: makes messages and takes answers apart, with no opinion on what makes sense.</summary>
internal sealed class NinePClient(NinePModel model)
{
    public const uint Root = 1;

    private const int Room = 64 << 10;

    /// <summary>A message.</summary>
    /// <param name="kind">What it is.</param>
    /// <param name="fields">Numbers as wide as they are, texts, and bytes as they are.</param>
    public static byte[] Message(NinePMessage kind, params ReadOnlySpan<object> fields)
    {
        using MemoryStream stream = new();
        using BinaryWriter writer = new(stream);
        writer.Write(0u);
        writer.Write((byte)kind);
        writer.Write((ushort)7);
        foreach (object field in fields)
        {
            switch (field)
            {
                case byte value:
                    writer.Write(value);
                    break;
                case ushort value:
                    writer.Write(value);
                    break;
                case uint value:
                    writer.Write(value);
                    break;
                case ulong value:
                    writer.Write(value);
                    break;
                case string text:
                    byte[] bytes = Encoding.UTF8.GetBytes(text);
                    writer.Write((ushort)bytes.Length);
                    writer.Write(bytes);
                    break;
                case byte[] raw:
                    writer.Write(raw);
                    break;
                default:
                    throw new ArgumentException($"{field} is no field");
            }
        }

        byte[] message = stream.ToArray();
        BinaryPrimitives.WriteInt32LittleEndian(message, message.Length);
        return message;
    }

    /// <summary>Sends bytes, whatever they are.</summary>
    public NinePAnswer Send(ReadOnlySpan<byte> message, int room = Room)
    {
        byte[] answer = new byte[room];
        int length = model.Answer(message, answer);
        Assert.Equal(length, BinaryPrimitives.ReadInt32LittleEndian(answer));
        return new NinePAnswer(answer[..length]);
    }

    public NinePAnswer Ask(NinePMessage kind, params ReadOnlySpan<object> fields)
    {
        NinePAnswer answer = Send(Message(kind, fields));
        Assert.Equal(7, answer.Tag);
        if (answer.Error == 0)
            Assert.Equal((byte)kind + 1, answer.Kind);
        return answer;
    }

    /// <summary>Asks for something that must work.</summary>
    public NinePAnswer Must(NinePMessage kind, params ReadOnlySpan<object> fields)
    {
        NinePAnswer answer = Ask(kind, fields);
        Assert.Equal((HostErrno)0, answer.Error);
        return answer;
    }

    /// <summary>Mounts the share: <see cref="Root"/> is its root.</summary>
    public NinePClient Mount(uint longest = 8192)
    {
        NinePAnswer answer = Must(NinePMessage.Version, longest, NinePFormat.Version);
        Assert.Equal((longest, NinePFormat.Version), (answer.Double(), answer.Text()));
        Must(NinePMessage.Attach, Root, NinePFormat.NoFid, "nobody", string.Empty, 0u);
        return this;
    }

    public HostErrno Walk(uint from, uint to, params ReadOnlySpan<string> names)
    {
        object[] fields = [from, to, (ushort)names.Length, .. names];
        NinePAnswer answer = Ask(NinePMessage.Walk, fields);
        return answer.Error != 0 ? answer.Error : answer.Word() == names.Length ? 0 : HostErrno.ENOENT;
    }

    public HostErrno Open(uint fid, NinePOpen flags) => Ask(NinePMessage.Open, fid, (uint)flags).Error;

    public HostErrno Create(uint folder, string name, NinePOpen flags, uint mode) => Ask(NinePMessage.Create, folder, name, (uint)flags, mode, 0u).Error;

    public HostErrno Clunk(uint fid) => Ask(NinePMessage.Clunk, fid).Error;

    public string Read(uint fid, ulong offset = 0, uint count = 1000)
    {
        NinePAnswer answer = Must(NinePMessage.Read, fid, offset, count);
        return Encoding.UTF8.GetString(answer.Take((int)answer.Double()));
    }

    public HostErrno Write(uint fid, ulong offset, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        NinePAnswer answer = Ask(NinePMessage.Write, fid, offset, (uint)bytes.Length, bytes);
        if (answer.Error == 0)
            Assert.Equal((uint)bytes.Length, answer.Double());
        return answer.Error;
    }

    /// <summary>Attributes: mode, size, inode, links.</summary>
    public (uint Mode, ulong Size, ulong Inode, ulong Links) Attributes(uint fid)
    {
        NinePAnswer answer = Must(NinePMessage.GetAttributes, fid, NinePFormat.BasicAttributes);
        Assert.Equal(NinePFormat.BasicAttributes, answer.Quad());
        ulong inode = answer.Qid().Path;
        uint mode = answer.Double();
        answer.Take(8);
        ulong links = answer.Quad();
        answer.Take(8);
        ulong size = answer.Quad();
        answer.Take(8 + 8 + 48 + 32);
        Assert.True(answer.AtEnd);
        return (mode, size, inode, links);
    }

    public HostErrno Change(uint fid, NinePChange what, uint mode = 0, uint user = 0, uint group = 0, ulong size = 0, ulong accessed = 0, ulong modified = 0) =>
        Ask(NinePMessage.SetAttributes, fid, (uint)what, mode, user, group, size, accessed, 0ul, modified, 0ul).Error;

    /// <summary>The names in an opened folder, asked for in pieces.</summary>
    public List<string> List(uint fid, uint room)
    {
        List<string> names = [];
        ulong place = 0;
        while (true)
        {
            NinePAnswer answer = Must(NinePMessage.ReadFolder, fid, place, room);
            uint bytes = answer.Double();
            Assert.True(bytes <= room);
            if (bytes == 0)
                return names;
            while (!answer.AtEnd)
            {
                answer.Qid();
                place = answer.Quad();
                answer.Byte();
                names.Add(answer.Text());
            }
        }
    }
}
