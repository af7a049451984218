// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices;
using Lguest.Devices.Virtio;
using Lguest.Engine.Memory;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Virtio;
using Tmds.Linux;

namespace Lguest.Tests.Devices.Virtio;

/// <summary>
/// A million chains that nobody meant: each is taken or refused as the rules of abi.md §9 say, by another reading of them, and all
/// that is handed to a device is the guest's memory.
/// </summary>
public sealed unsafe class RandomChainsTests : IDisposable
{
    private const int Chains = 1_000_000;
    private const uint Size = 16;
    private const uint LowEnd = 0x8000;
    private const uint HighStart = 0x1_0000;
    private const uint HighEnd = 0x1_4000;
    private const uint Tables = 0x4000;

    private static readonly RingLayout s_layout = new(Size, 0x1000, 0x2000, 0x3000);

    private readonly MappedGuestMemory _memory = MappedGuestMemory.Create([new(0, LowEnd), new(HighStart, HighEnd - HighStart)]);
    private readonly Virtqueue _queue;
    private readonly VirtqueueChain _chain = new();
    private readonly Random _random = new(20080101);

    public RandomChainsTests() => _queue = new Virtqueue(_memory);

    /// <inheritdoc/>
    public void Dispose() => _memory.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void EachIsTakenOrRefusedByTheRules(bool indirect)
    {
        int taken = 0;
        int longOnes = 0;
        for (int i = 0; i < Chains / 2; i++)
        {
            Restart(indirect);
            for (uint piece = 0; piece < Size; piece++)
            {
                _memory.WriteValue(s_layout.Descriptors + (piece * RingDescriptor.Size), Piece(Size));
                if (indirect)
                    _memory.WriteValue(Tables + (piece * RingDescriptor.Size), Piece(Size));
            }

            ushort head = (ushort)_random.Next((int)Size + (_random.Next(20) == 0 ? 5 : 0));
            _memory.WriteValue(s_layout.Available + RingLayout.Head, head);
            _memory.WriteValue(s_layout.Available + sizeof(ushort), (ushort)1);
            List<RingDescriptor>? expected = Follow(head, indirect);
            if (expected == null)
            {
                Assert.Throws<VirtqueueException>(() => _queue.TryTake(_chain));
                continue;
            }

            Assert.True(_queue.TryTake(_chain));
            Assert.Equal(head, _chain.Head);
            Same(expected.Where(static piece => (piece.Flags & RingDescriptorFlags.Write) == 0), _chain.Out);
            Same(expected.Where(static piece => (piece.Flags & RingDescriptorFlags.Write) != 0), _chain.In);
            taken++;
            longOnes += expected.Count > 2 ? 1 : 0;
        }

        // A generator that only makes rubbish tests nothing.
        Assert.InRange(taken, Chains / 2 / 10, Chains / 2 * 9 / 10);
        Assert.InRange(longOnes, Chains / 2 / 100, Chains / 2);
    }

    private void Restart(bool indirect)
    {
        _queue.Reset();
        _queue.Start(s_layout);
        _queue.AllowsIndirect = indirect;
    }

    private RingDescriptor Piece(uint size)
    {
        int what = _random.Next(100);
        RingDescriptor piece = new()
        {
            Address = what switch
            {
                < 80 => (ulong)_random.Next((int)LowEnd - 4096),
                < 90 => HighStart + (ulong)_random.Next(0x3000),
                < 93 => LowEnd - (ulong)_random.Next(4096),
                < 96 => HighEnd - (ulong)_random.Next(4096),
                < 98 => uint.MaxValue - (ulong)_random.Next(4096),
                _ => (ulong)_random.NextInt64(),
            },
            Length = _random.Next(50) == 0 ? (uint)_random.Next() : (uint)_random.Next(2000),
            Next = (ushort)_random.Next((int)size + (_random.Next(50) == 0 ? 3 : 0)),
        };
        if (_random.Next(3) == 0)
            piece.Flags |= RingDescriptorFlags.Next;
        if (_random.Next(2) == 0)
            piece.Flags |= RingDescriptorFlags.Write;
        if (_random.Next(15) == 0)
        {
            piece.Flags = RingDescriptorFlags.Indirect | (_random.Next(10) == 0 ? RingDescriptorFlags.Next : 0) | (piece.Flags & RingDescriptorFlags.Write);
            piece.Address = Tables + (ulong)(_random.Next(2) * RingDescriptor.Size);
            piece.Length = (uint)_random.Next(1, 15) * RingDescriptor.Size;
            if (_random.Next(20) == 0)
                piece.Length++;
        }

        return piece;
    }

    /// <summary>The pieces of a chain; null if it breaks a rule. Written for reading, not for speed.</summary>
    private List<RingDescriptor>? Follow(ushort head, bool indirect)
    {
        if (head >= Size)
            return null;
        List<RingDescriptor> all = [];
        (uint table, uint entries, uint index, bool inTable) = (s_layout.Descriptors, Size, (uint)head, false);
        while (true)
        {
            RingDescriptor piece = _memory.ReadValue<RingDescriptor>(table + (index * RingDescriptor.Size));
            ulong end = piece.Address + piece.Length;
            bool isMemory = piece.Address <= uint.MaxValue && (end <= LowEnd || (piece.Address >= HighStart && end <= HighEnd));
            if (!isMemory)
                return null;
            if ((piece.Flags & RingDescriptorFlags.Indirect) != 0)
            {
                if (!indirect || inTable || (piece.Flags & RingDescriptorFlags.Next) != 0 || piece.Length % 16 != 0 || piece.Length == 0)
                    return null;
                (table, entries, index, inTable) = ((uint)piece.Address, piece.Length / 16, 0, true);
                continue;
            }

            all.Add(piece);
            if (all.Count > (inTable ? Virtqueue.LongestChain : (int)Size))
                return null;
            if ((piece.Flags & RingDescriptorFlags.Next) == 0)
                break;
            index = piece.Next;
            if (index >= entries)
                return null;
        }

        int firstWritten = all.FindIndex(static piece => (piece.Flags & RingDescriptorFlags.Write) != 0);
        bool inOrder = firstWritten < 0 || all.Skip(firstWritten).All(static piece => (piece.Flags & RingDescriptorFlags.Write) != 0);
        return inOrder && all.Sum(static piece => (long)piece.Length) <= Virtqueue.MostBytes ? all : null;
    }

    private void Same(IEnumerable<RingDescriptor> expected, GuestVector found)
    {
        int at = 0;
        foreach (RingDescriptor piece in expected)
        {
            if (piece.Length == 0)
                continue;
            iovec section = found.Sections[at++];
            if ((ulong)((byte*)section.iov_base - _memory.Base) != piece.Address || (uint)section.iov_len != piece.Length)
                Assert.Fail($"section {at - 1} is not {piece.Length} bytes at 0x{piece.Address:x}");
        }

        Assert.Equal(at, found.Sections.Length);
    }
}
