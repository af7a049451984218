// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;
using Lguest.GuestAbi.Virtio;

namespace Lguest.Devices.Virtio;

// [D:240] A ring of requests
// The DMA of 2.6.23 is one list at a time, and a hypercall for each. The kernels that came after it have rings: the guest puts chains of
// memory into one, as many as it likes, and says once that there is something; the device puts their numbers into another when it is done
// with them. All of it is the guest's memory, so everything that is read there is a hostile number until it has been checked: an index, a
// place in the table, an address, a length, the way from one piece to the next. Each is read once ([D:140]).
/// <summary>
/// A virtqueue (abi.md §9): where the driver of a guest puts requests, and gets them back. Where its parts are is the bus's affair.
/// </summary>
public sealed class Virtqueue
{
    /// <summary>Pieces of a chain at most, tables included: as many as the largest ring has.</summary>
    public const int LongestChain = RingLayout.MaxSize;

    /// <summary>
    /// Bytes of a chain at most. The same memory may be named again and again, and nobody is to be kept busy by a single request; a
    /// kernel's have a few hundred KiB.
    /// </summary>
    public const int MostBytes = 64 << 20;

    private readonly GuestMemory _memory;
    private readonly RingDescriptor[] _pieces = new RingDescriptor[LongestChain];
    private RingLayout _layout;
    private ushort _taken;
    private ushort _used;

    /// <summary>A queue that the driver has not set up.</summary>
    public Virtqueue(GuestMemory memory) => _memory = memory;

    /// <summary>Whether the driver has set it up.</summary>
    public bool IsReady { get; private set; }

    /// <summary>Whether chains may be in tables of their own: when the driver has accepted that.</summary>
    public bool AllowsIndirect { get; set; }

    /// <summary>Entries; 0 before it is set up.</summary>
    public uint Size => _layout.Size;

    /// <summary>The driver says where the queue is.</summary>
    /// <exception cref="VirtqueueException">That is no queue, or not the guest's memory.</exception>
    public void Start(in RingLayout layout)
    {
        if (!layout.IsSane)
            throw new VirtqueueException($"a queue of {layout.Size} entries at 0x{layout.Descriptors:x8}, 0x{layout.Available:x8}, 0x{layout.Used:x8} is none");
        if (!_memory.Contains(layout.Descriptors, layout.DescriptorBytes) || !_memory.Contains(layout.Available, layout.AvailableBytes) || !_memory.Contains(layout.Used, layout.UsedBytes))
            throw new VirtqueueException($"a queue of {layout.Size} entries at 0x{layout.Descriptors:x8}, 0x{layout.Available:x8}, 0x{layout.Used:x8} is not all the guest's memory");
        _layout = layout;
        _taken = _used = 0;
        IsReady = true;
    }

    /// <summary>The device is reset: the queue is not set up any more, and its places are forgotten.</summary>
    public void Reset()
    {
        _layout = default;
        _taken = _used = 0;
        IsReady = false;
        AllowsIndirect = false;
    }

    // [D:250+22] Taking a request
    // The guest counts up an index for each chain that it offers; the difference to ours is what is new. It can be no more than the
    // ring has room for: a guest that says otherwise would have us go round and round.
    /// <summary>Takes the next request.</summary>
    /// <param name="chain">Gets it.</param>
    /// <returns>False when there is none.</returns>
    /// <exception cref="VirtqueueException">The driver has broken a rule.</exception>
    public bool TryTake(VirtqueueChain chain)
    {
        if (!IsReady)
            return false;
        ushort offered = _memory.ReadValue<ushort>(_layout.Available + sizeof(ushort)); // Read once
        ushort waiting = (ushort)(offered - _taken);
        if (waiting == 0)
            return false;
        if (waiting > _layout.Size)
            throw new VirtqueueException($"{waiting} requests are offered in a queue of {_layout.Size}");
        uint place = _layout.Available + RingLayout.Head + (_taken % _layout.Size * sizeof(ushort));
        ushort head = _memory.ReadValue<ushort>(place); // Read once
        if (head >= _layout.Size)
            throw new VirtqueueException($"a request begins at entry {head} of {_layout.Size}");
        int count = Gather(head);
        Load(chain, count);
        chain.Head = head;
        _taken++;
        return true;
    }

    /// <summary>Puts the request that was taken last back, as if it had not been taken: there is nothing to answer it with yet.</summary>
    public void Return() => _taken--;

    /// <summary>Gives a request back to the driver.</summary>
    /// <param name="chain">Which.</param>
    /// <param name="written">Bytes that the device has written.</param>
    public void Complete(VirtqueueChain chain, uint written)
    {
        uint entry = _layout.Used + RingLayout.Head + (_used % _layout.Size * RingLayout.UsedEntry);
        _memory.WriteValue(entry, ((ulong)written << 32) | chain.Head);

        // The entry before the index that makes it valid.
        Thread.MemoryBarrier();
        _used++;
        _memory.WriteValue(_layout.Used + sizeof(ushort), _used);
    }

    /// <summary>Whether the driver wants an interrupt for what has been completed.</summary>
    public bool WantsInterrupt()
    {
        const ushort NoInterrupt = 1;

        // A driver that allows interrupts looks at the index once more afterwards; so it must be written before its wish is read.
        Thread.MemoryBarrier();
        return (_memory.ReadValue<ushort>(_layout.Available) & NoInterrupt) == 0; // Read once
    }

    // [D:260+41] A chain
    // A chain is followed in a copy of each descriptor. It may be a loop, so the number of steps is bounded; and the check of all of it
    // comes before the use of any.
    /// <summary>Copies the descriptors of a chain.</summary>
    /// <returns>How many.</returns>
    private int Gather(ushort head)
    {
        int count = 0;
        uint table = _layout.Descriptors;
        uint size = _layout.Size;
        uint index = head;
        bool isIndirect = false;
        while (true)
        {
            // Read once
            RingDescriptor piece = _memory.ReadValue<RingDescriptor>(table + (index * RingDescriptor.Size));
            if (piece.Address > uint.MaxValue || !_memory.Contains((uint)piece.Address, piece.Length))
                throw new VirtqueueException($"{piece.Length} bytes at 0x{piece.Address:x} are not all the guest's memory");
            bool goesOn = (piece.Flags & RingDescriptorFlags.Next) != 0;
            if ((piece.Flags & RingDescriptorFlags.Indirect) != 0)
            {
                if (!AllowsIndirect || isIndirect || goesOn || piece.Length == 0 || piece.Length % RingDescriptor.Size != 0)
                    throw new VirtqueueException($"a table of {piece.Length} bytes where none may be");
                table = (uint)piece.Address;
                size = piece.Length / RingDescriptor.Size;
                index = 0;
                isIndirect = true;
                continue;
            }

            if (count == LongestChain || (!isIndirect && count == size))
                throw new VirtqueueException($"a request has more than {count} pieces");
            _pieces[count++] = piece;
            if (!goesOn)
                return count;
            index = piece.Next;
            if (index >= size)
                throw new VirtqueueException($"a request goes on at entry {index} of {size}");
        }
    }

    private void Load(VirtqueueChain chain, int count)
    {
        chain.Out.Clear();
        chain.In.Clear();
        chain.LastIn = null;
        long bytes = 0;
        bool writes = false;
        foreach (ref readonly RingDescriptor piece in _pieces.AsSpan(0, count))
        {
            bool toGuest = (piece.Flags & RingDescriptorFlags.Write) != 0;
            if (writes && !toGuest)
                throw new VirtqueueException("a request has something to read after what is to be written");
            writes = toGuest;
            bytes += piece.Length;
        }

        if (bytes > MostBytes)
            throw new VirtqueueException($"a request has {bytes} bytes");
        foreach (ref readonly RingDescriptor piece in _pieces.AsSpan(0, count))
        {
            bool toGuest = (piece.Flags & RingDescriptorFlags.Write) != 0;
            (toGuest ? chain.In : chain.Out).Add(_memory, (uint)piece.Address, piece.Length, toGuest);
            if (toGuest && piece.Length > 0)
                chain.LastIn = (uint)piece.Address + piece.Length - 1;
        }
    }
}
