// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;

namespace Lguest.Devices.Models.NineP;

/// <summary>
/// Reads a request, from memory that the guest cannot change. What goes beyond its end is zero or empty, and is remembered: a request
/// is read to its end, and then <see cref="IsWhole"/> says whether it had one.
/// </summary>
/// <param name="bytes">The request.</param>
internal ref struct MessageReader(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> _rest = bytes;

    /// <summary>Whether everything that was read was there.</summary>
    public bool IsWhole { get; private set; } = true;

    /// <summary>Bytes not read yet.</summary>
    public readonly ReadOnlySpan<byte> Rest => _rest;

    /// <summary>A byte.</summary>
    public byte Byte() => Take(sizeof(byte)) is { IsEmpty: false } found ? found[0] : (byte)0;

    /// <summary>Two bytes.</summary>
    public ushort Word() => Take(sizeof(ushort)) is { IsEmpty: false } found ? BinaryPrimitives.ReadUInt16LittleEndian(found) : (ushort)0;

    /// <summary>Four bytes.</summary>
    public uint Double() => Take(sizeof(uint)) is { IsEmpty: false } found ? BinaryPrimitives.ReadUInt32LittleEndian(found) : 0;

    /// <summary>Eight bytes.</summary>
    public ulong Quad() => Take(sizeof(ulong)) is { IsEmpty: false } found ? BinaryPrimitives.ReadUInt64LittleEndian(found) : 0;

    /// <summary>A text: its length in two bytes, then that many bytes without a zero after them.</summary>
    public ReadOnlySpan<byte> Text()
    {
        int length = Word();
        return Take(length);
    }

    /// <summary>So many bytes, or none when there are fewer.</summary>
    public ReadOnlySpan<byte> Take(int length)
    {
        if (length > _rest.Length)
        {
            IsWhole = false;
            _rest = default;
            return default;
        }

        ReadOnlySpan<byte> found = _rest[..length];
        _rest = _rest[length..];
        return found;
    }
}
