// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Memory;
using Lguest.GuestAbi;

namespace Lguest.Tests.Support;

/// <summary>A megabyte of RAM with room for devices above it, and the pen strokes that a guest's drivers would make in it.</summary>
public sealed class TestGuest : IDisposable
{
    /// <summary>Bytes of RAM; the descriptor page comes right behind.</summary>
    public const uint Ram = 1 << 20;

    /// <summary>Makes the memory and a guest of it.</summary>
    public TestGuest(int devicePages = 16)
    {
        Memory = MappedGuestMemory.Create([new MemoryRange(0, Ram), new MemoryRange(Ram, (ulong)(1 + devicePages) * Page.Size)]);
        Fake = new FakeGuest(Memory);
    }

    /// <summary>The memory.</summary>
    public GuestMemory Memory { get; }

    /// <summary>The guest, for whoever is tested.</summary>
    public FakeGuest Fake { get; }

    /// <summary>Writes a lguest_dma.</summary>
    public unsafe void WriteDma(uint address, params (uint Address, ushort Length)[] sections)
    {
        LguestDma dma = default;
        for (int i = 0; i < sections.Length; i++)
        {
            dma.Addr[i] = sections[i].Address;
            dma.Len[i] = sections[i].Length;
        }

        Memory.WriteValue(address, dma);
    }

    /// <summary>used_len of a lguest_dma.</summary>
    public uint UsedLen(uint address) => Memory.ReadUInt32(address);

    /// <inheritdoc/>
    public void Dispose() => Memory.Dispose();
}
