// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Virtio;
using Lguest.Engine.Memory;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Virtio;
using Lguest.Tests.Support;
using NSubstitute;

namespace Lguest.Tests.Devices.Virtio;

/// <summary>A ring, as good drivers use it and as bad ones do.</summary>
public sealed class VirtqueueTests : IDisposable
{
    private const uint Data = 0x8_0000;

    private readonly TestGuest _guest = new();
    private readonly Virtqueue _queue;
    private readonly VirtqueueChain _chain = new();
    private readonly TestRing _ring;

    public VirtqueueTests()
    {
        _queue = new Virtqueue(_guest.Memory);
        _ring = new TestRing(_guest.Memory, new RingLayout(8, 0x1000, 0x2002, 0x3004));
        _queue.Start(_ring.Layout);
    }

    /// <inheritdoc/>
    public void Dispose() => _guest.Dispose();

    [Theory]
    [InlineData(128, 2048, 4096, 2)]
    [InlineData(256, 4096, 8192, 3)]
    public void AQueueOfTheLguestBusIsOneBlock(uint size, uint available, uint used, int pages)
    {
        Assert.Equal(new RingLayout(size, 0x10000, 0x10000 + available, 0x10000 + used), RingLayout.Contiguous(0x10000, size));
        Assert.Equal(pages, RingLayout.PagesOf(size));
    }

    [Fact]
    public void RequestsComeInOrderAndGoBack()
    {
        for (int round = 0; round < 100_000; round++)
        {
            ushort first = _ring.Offer(TestRing.Reads(Data, 5), TestRing.Reads(Data + 0x1000, 7), TestRing.Writes(Data + 0x2000, 9));
            ushort second = _ring.Offer(TestRing.Writes(Data, 1));
            Assert.True(_queue.TryTake(_chain));
            Assert.Equal((first, 12, 9, Data + 0x2008), (_chain.Head, _chain.Out.Length, _chain.In.Length, _chain.LastIn));
            _queue.Complete(_chain, 9);
            Assert.True(_queue.TryTake(_chain));
            Assert.Equal((second, 0, 1), (_chain.Head, _chain.Out.Length, _chain.In.Length));
            _queue.Complete(_chain, 1);
            Assert.False(_queue.TryTake(_chain));
            Assert.Equal((ushort)(2 * (round + 1)), _ring.UsedIndex);
            Assert.Equal(((uint)first, 9u), _ring.Used((uint)(2 * round)));
            Assert.Equal(((uint)second, 1u), _ring.Used((uint)((2 * round) + 1)));
        }
    }

    [Fact]
    public void WhatWasPutBackComesAgain()
    {
        ushort head = _ring.Offer(TestRing.Writes(Data, 1));
        Assert.True(_queue.TryTake(_chain));
        _queue.Return();
        Assert.True(_queue.TryTake(_chain));
        Assert.Equal(head, _chain.Head);
        Assert.False(_queue.TryTake(_chain));
    }

    [Fact]
    public void PiecesOfNoLengthAreNone()
    {
        _ring.Offer(TestRing.Reads(0, 0), TestRing.Reads(Data, 4), TestRing.Writes(Data, 4), TestRing.Writes(Data + 100, 0));
        Assert.True(_queue.TryTake(_chain));
        Assert.Equal((4, 4, Data + 3), (_chain.Out.Length, _chain.In.Length, _chain.LastIn));
    }

    [Fact]
    public void TheFlagSaysWhetherAnInterruptIsWanted()
    {
        Assert.True(_queue.WantsInterrupt());
        _ring.WantInterrupts(false);
        Assert.False(_queue.WantsInterrupt());
    }

    [Fact]
    public void AQueueThatIsNotSetUpHasNothing()
    {
        _ring.Offer(TestRing.Reads(Data, 4));
        _queue.Reset();
        Assert.False(_queue.TryTake(_chain));
        _queue.Start(_ring.Layout);
        Assert.True(_queue.TryTake(_chain));
    }

    [Theory]
    [InlineData(0, 0x1000, 0x2000, 0x3000)]
    [InlineData(3, 0x1000, 0x2000, 0x3000)]
    [InlineData(512, 0x1000, 0x4000, 0x8000)]
    [InlineData(8, 0x1008, 0x2000, 0x3000)]
    [InlineData(8, 0x1000, 0x2001, 0x3000)]
    [InlineData(8, 0x1000, 0x2000, 0x3002)]
    [InlineData(8, 0xFFFF_FFF0, 0x2000, 0x3000)]
    [InlineData(8, 0x1000, 0xFFFF_FFFE, 0x3000)]
    [InlineData(8, 0x1000, 0x2000, 0xFFFF_FFFC)]
    [InlineData(8, 0x4000_0000, 0x2000, 0x3000)]
    [InlineData(256, 0x1000, 0x11_0F00, 0x3000)]
    public void AQueueIsWhereAGuestHasMemory(uint size, uint descriptors, uint available, uint used)
    {
        Virtqueue queue = new(_guest.Memory);
        Assert.Throws<VirtqueueException>(() => queue.Start(new RingLayout(size, descriptors, available, used)));
        Assert.False(queue.IsReady);
        Assert.False(queue.TryTake(_chain));
    }

    [Fact]
    public void MoreThanThereIsRoomForIsNotOffered()
    {
        _ring.SetOffered(9);
        Assert.Contains("9 requests are offered in a queue of 8", Refusal(), StringComparison.Ordinal);
        _ring.SetOffered(ushort.MaxValue);
        Refusal();
    }

    [Fact]
    public void ARequestBeginsInTheTable()
    {
        _ring.OfferHead(8);
        Assert.Contains("entry 8 of 8", Refusal(), StringComparison.Ordinal);
    }

    [Fact]
    public void ARequestGoesOnInTheTable()
    {
        _ring.Set(0, new() { Address = Data, Length = 1, Flags = RingDescriptorFlags.Next, Next = 8 });
        _ring.OfferHead(0);
        Assert.Contains("goes on at entry 8 of 8", Refusal(), StringComparison.Ordinal);
    }

    [Fact]
    public void ALoopHasAnEnd()
    {
        _ring.Set(0, new() { Address = Data, Length = 1, Flags = RingDescriptorFlags.Next, Next = 1 });
        _ring.Set(1, new() { Address = Data, Length = 1, Flags = RingDescriptorFlags.Next, Next = 0 });
        _ring.OfferHead(0);
        Assert.Contains("more than 8 pieces", Refusal(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(TestGuest.Ram + (17 * Page.Size), 1)]
    [InlineData(TestGuest.Ram - 1, 2)]
    [InlineData(0xFFFF_FFFF, 0xFFFF_FFFF)]
    [InlineData(0x1_0000_0000, 4)]
    [InlineData(ulong.MaxValue, 1)]
    public void APieceIsTheGuestsMemory(ulong address, uint length)
    {
        _ring.Offer(TestRing.Reads(Data, 1), new() { Address = address, Length = length });
        Assert.Contains("are not all the guest's memory", Refusal(), StringComparison.Ordinal);
    }

    [Fact]
    public void WhatIsReadComesFirst()
    {
        _ring.Offer(TestRing.Writes(Data, 1), TestRing.Reads(Data, 1));
        Assert.Contains("after what is to be written", Refusal(), StringComparison.Ordinal);
    }

    [Fact]
    public void AChainOfTheSameMemoryAgainAndAgainIsNotTooLong()
    {
        using MappedGuestMemory memory = MappedGuestMemory.Create([new(0, 0x200_0000)]);
        Virtqueue queue = new(memory);
        TestRing ring = new(memory, new RingLayout(8, 0x1000, 0x2000, 0x3000));
        queue.Start(ring.Layout);
        ring.Offer(TestRing.Reads(0, 0x200_0000), TestRing.Reads(0, 0x200_0000));
        Assert.True(queue.TryTake(_chain));
        ring.Offer(TestRing.Reads(0, 0x200_0000), TestRing.Reads(0, 0x200_0000), TestRing.Reads(0, 1));
        Assert.Throws<VirtqueueException>(() => queue.TryTake(_chain));
    }

    [Fact]
    public void ATableOfItsOwnIsTakenIfItIsAllowed()
    {
        const uint table = 0x9_0000;
        _guest.Memory.WriteValue(table, TestRing.Reads(Data, 3) with { Flags = RingDescriptorFlags.Next, Next = 2 });
        _guest.Memory.WriteValue(table + (2 * RingDescriptor.Size), TestRing.Writes(Data, 4));
        RingDescriptor indirect = new() { Address = table, Length = 3 * RingDescriptor.Size, Flags = RingDescriptorFlags.Indirect };
        _ring.Offer(indirect);
        Assert.Contains("where none may be", Refusal(), StringComparison.Ordinal);
        _queue.AllowsIndirect = true;
        Assert.True(_queue.TryTake(_chain));
        Assert.Equal((3, 4), (_chain.Out.Length, _chain.In.Length));

        // It has three entries, whatever the ring has; and it is no place for another table.
        _guest.Memory.WriteValue(table, TestRing.Reads(Data, 3) with { Flags = RingDescriptorFlags.Next, Next = 3 });
        _ring.Offer(indirect);
        Assert.Contains("entry 3 of 3", Refusal(), StringComparison.Ordinal);
        _guest.Memory.WriteValue(table, indirect);
        Assert.Contains("where none may be", Refusal(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(17, false)]
    [InlineData(16, true)]
    public void ATableIsWhole(uint length, bool goesOn)
    {
        _queue.AllowsIndirect = true;
        _ring.Set(0, new() { Address = Data, Length = length, Flags = RingDescriptorFlags.Indirect | (goesOn ? RingDescriptorFlags.Next : 0), Next = 1 });
        _ring.OfferHead(0);
        Assert.Contains("where none may be", Refusal(), StringComparison.Ordinal);
    }

    [Fact]
    public void ALoopInATableHasAnEnd()
    {
        const uint table = 0x9_0000;
        _queue.AllowsIndirect = true;
        _guest.Memory.WriteValue(table, TestRing.Reads(Data, 1) with { Flags = RingDescriptorFlags.Next, Next = 0 });
        _ring.Offer(new RingDescriptor { Address = table, Length = RingDescriptor.Size, Flags = RingDescriptorFlags.Indirect });
        Assert.Contains($"more than {Virtqueue.LongestChain} pieces", Refusal(), StringComparison.Ordinal);
    }

    [Fact]
    public void ABadPieceAtTheEndLeavesNoTrace()
    {
        IHostWriteObserver observer = Substitute.For<IHostWriteObserver>();
        _ring.Offer(TestRing.Writes(Data, 1), TestRing.Writes(0xFFFF_FFFF, 1));
        _guest.Memory.AddObserver(observer);
        Refusal();
        observer.DidNotReceive().HostWrites(Arg.Any<uint>(), Arg.Any<uint>());
    }

    private string Refusal() => Assert.Throws<VirtqueueException>(() => _queue.TryTake(_chain)).Message;
}
