// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;

namespace Lguest.Tests.Fuzz;

/// <summary>Takes a case apart into what a target makes of it; where the case has ended there are zeros.</summary>
internal ref struct CaseReader(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> _rest = bytes;

    public readonly bool AtEnd => _rest.IsEmpty;

    public byte Byte()
    {
        if (_rest.IsEmpty)
            return 0;
        byte value = _rest[0];
        _rest = _rest[1..];
        return value;
    }

    public ushort Half()
    {
        Span<byte> bytes = stackalloc byte[2];
        Fill(bytes);
        return BinaryPrimitives.ReadUInt16LittleEndian(bytes);
    }

    public uint Word()
    {
        Span<byte> bytes = stackalloc byte[4];
        Fill(bytes);
        return BinaryPrimitives.ReadUInt32LittleEndian(bytes);
    }

    /// <summary>The next bytes, or as many as there are.</summary>
    public ReadOnlySpan<byte> Bytes(int count)
    {
        ReadOnlySpan<byte> bytes = _rest[..Math.Min(count, _rest.Length)];
        _rest = _rest[bytes.Length..];
        return bytes;
    }

    /// <summary>All that is left.</summary>
    public ReadOnlySpan<byte> Rest() => Bytes(_rest.Length);

    private void Fill(scoped Span<byte> target)
    {
        target.Clear();
        Bytes(target.Length).CopyTo(target);
    }
}
