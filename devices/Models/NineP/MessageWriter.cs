// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using Lguest.GuestAbi.NineP;

namespace Lguest.Devices.Models.NineP;

/// <summary>Writes an answer. What the guest left no room for is not written, and is remembered: <see cref="IsWhole"/>.</summary>
/// <param name="room">Where to; the header comes first.</param>
internal ref struct MessageWriter(Span<byte> room)
{
    private readonly Span<byte> _room = room;

    /// <summary>Bytes written, the header among them.</summary>
    public int Length { get; private set; } = NinePFormat.Header;

    /// <summary>Whether there was room for everything.</summary>
    public bool IsWhole { get; private set; } = true;

    /// <summary>Room that is left.</summary>
    public readonly Span<byte> Rest => _room[Length..];

    /// <summary>A byte.</summary>
    public void Byte(byte value)
    {
        if (Take(sizeof(byte)) is { IsEmpty: false } place)
            place[0] = value;
    }

    /// <summary>Two bytes.</summary>
    public void Word(ushort value)
    {
        if (Take(sizeof(ushort)) is { IsEmpty: false } place)
            BinaryPrimitives.WriteUInt16LittleEndian(place, value);
    }

    /// <summary>Four bytes.</summary>
    public void Double(uint value)
    {
        if (Take(sizeof(uint)) is { IsEmpty: false } place)
            BinaryPrimitives.WriteUInt32LittleEndian(place, value);
    }

    /// <summary>Eight bytes.</summary>
    public void Quad(ulong value)
    {
        if (Take(sizeof(ulong)) is { IsEmpty: false } place)
            BinaryPrimitives.WriteUInt64LittleEndian(place, value);
    }

    /// <summary>A text.</summary>
    public void Text(scoped ReadOnlySpan<byte> text)
    {
        Word((ushort)text.Length);
        if (text.Length <= ushort.MaxValue && Take(text.Length) is { IsEmpty: false } place)
            text.CopyTo(place);
    }

    /// <summary>Which file.</summary>
    public void Qid(in Qid qid)
    {
        Byte(qid.Kind);
        Double(qid.Version);
        Quad(qid.Path);
    }

    /// <summary>Bytes that somebody has written to <see cref="Rest"/> already.</summary>
    public void Advance(int length) => Take(length);

    /// <summary>Writes the header, in the end; an error takes the place of what was written.</summary>
    /// <param name="error">0, or the error that the answer is.</param>
    /// <param name="request">The request's number.</param>
    /// <param name="tag">The request's tag.</param>
    /// <returns>Bytes of the answer.</returns>
    public int Finish(HostErrno error, NinePMessage request, ushort tag)
    {
        if (error == 0 && !IsWhole)
            error = HostErrno.EMSGSIZE;
        byte kind = (byte)(request + 1);
        if (error != 0)
        {
            Length = NinePFormat.Header;
            IsWhole = true;
            Double((uint)error);
            kind = (byte)NinePMessage.ErrorAnswer;
        }

        BinaryPrimitives.WriteUInt32LittleEndian(_room, (uint)Length);
        _room[sizeof(uint)] = kind;
        BinaryPrimitives.WriteUInt16LittleEndian(_room[(sizeof(uint) + 1)..], tag);
        return Length;
    }

    private Span<byte> Take(int length)
    {
        if (!IsWhole || length > _room.Length - Length)
        {
            IsWhole = false;
            return default;
        }

        Span<byte> place = _room.Slice(Length, length);
        Length += length;
        return place;
    }
}
