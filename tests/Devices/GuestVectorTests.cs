// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices;
using Lguest.Devices.Bus.Dma;
using Lguest.Engine.Memory;
using Lguest.GuestAbi;
using Lguest.Tests.Support;
using NSubstitute;
using Xunit;

namespace Lguest.Tests.Devices;

/// <summary>A scatter list turned into system call arguments.</summary>
public sealed class GuestVectorTests : IDisposable
{
    private readonly TestGuest _guest = new();
    private readonly GuestVector _vector = new();

    /// <inheritdoc/>
    public void Dispose() => _guest.Dispose();

    /// <summary>Partial transfers move on through sections, at every possible place.</summary>
    [Fact]
    public void ConsumeMovesOnByteForByte()
    {
        (uint Address, ushort Length)[] sections = [(0x1000, 3), (0x5000, 1), (0x3000, 5)];
        uint[] expected = [0x1000, 0x1001, 0x1002, 0x5000, 0x3000, 0x3001, 0x3002, 0x3003, 0x3004];
        for (int first = 0; first < expected.Length; first++)
        {
            _guest.WriteDma(0x100, sections);
            _vector.Load(_guest.Memory, 0x100, toGuest: false);
            _vector.Consume(first);
            Assert.Equal(expected.Length - first, _vector.Length);
            for (int i = first; i < expected.Length; i++)
            {
                Assert.Equal(expected[i], NextAddress());
                _vector.Consume(1);
            }

            Assert.Equal(0, _vector.Length);
        }
    }

    /// <summary>The first length 0 ends the list, whatever comes behind.</summary>
    [Fact]
    public void ALengthOfZeroEndsTheList()
    {
        _guest.WriteDma(0x100, (0x1000, 8), (0x2000, 0), (0xFFFFFFFF, 0xFFFF));
        _vector.Load(_guest.Memory, 0x100, toGuest: false);
        Assert.Equal(8, _vector.Length);
    }

    /// <summary>A bad section anywhere takes nothing, and the engine is not told of writes that never come.</summary>
    [Fact]
    public void ABadSectionTakesNothing()
    {
        IHostWriteObserver observer = Substitute.For<IHostWriteObserver>();
        _guest.WriteDma(0x100, (0x1000, 8), (0xFFFFFFFF, 2));
        _guest.Memory.AddObserver(observer);
        Assert.Throws<GuestAddressException>(() => _vector.Load(_guest.Memory, 0x100, toGuest: true));
        Assert.Equal(0, _vector.Length);
        observer.DidNotReceive().HostWrites(Arg.Any<uint>(), Arg.Any<uint>());
    }

    /// <summary>An engine hears of each section that will be written, and of none that will be read.</summary>
    [Fact]
    public void TheObserverHearsOfWritesOnly()
    {
        IHostWriteObserver observer = Substitute.For<IHostWriteObserver>();
        _guest.WriteDma(0x100, (0x1000, 8), (0x2000, 16));
        _guest.Memory.AddObserver(observer);
        _vector.Load(_guest.Memory, 0x100, toGuest: false);
        observer.DidNotReceive().HostWrites(Arg.Any<uint>(), Arg.Any<uint>());
        _vector.Load(_guest.Memory, 0x100, toGuest: true);
        observer.Received().HostWrites(0x1000, 8);
        observer.Received().HostWrites(0x2000, 16);
    }

    /// <summary>Other buses have longer lists than 16 sections; what is in place already stays.</summary>
    [Fact]
    public void AListGrowsToWhatTheKernelTakes()
    {
        _vector.Clear();
        for (uint i = 0; i < GuestVector.MaxSections; i++)
            _vector.Add(_guest.Memory, 0x1000 + i, 1, toGuest: false);
        Assert.Throws<InvalidOperationException>(() => _vector.Add(_guest.Memory, 0x1000, 1, toGuest: false));
        Assert.Equal((GuestVector.MaxSections, GuestVector.MaxSections), (_vector.Length, _vector.Sections.Length));
        Assert.Equal(0x1000u, NextAddress());
        _vector.Consume(GuestVector.MaxSections - 1);
        Assert.Equal(0x1000u + GuestVector.MaxSections - 1, NextAddress());
    }

    /// <summary>The sum of lengths does not overflow: a list may name the same memory again and again.</summary>
    [Fact]
    public void AListHasLessThanTwoGibibytes()
    {
        using MappedGuestMemory memory = MappedGuestMemory.Create([new(0, 0x4000_0000)]);
        _vector.Clear();
        _vector.Add(memory, 0, 0x4000_0000, toGuest: false);
        Assert.Throws<InvalidOperationException>(() => _vector.Add(memory, 0, 0x4000_0000, toGuest: false));
        _vector.Add(memory, 0, 0x3FFF_FFFF, toGuest: false);
        Assert.Equal(int.MaxValue, _vector.Length);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 1)]
    [InlineData(8, 1)]
    [InlineData(9, 2)]
    [InlineData(24, 2)]
    [InlineData(25, 2)]
    public void ALimitCutsOffWhatIsBeyond(long bytes, int sections)
    {
        _guest.WriteDma(0x100, (0x1000, 8), (0x2000, 16));
        _vector.Load(_guest.Memory, 0x100, toGuest: false);
        _vector.Limit(bytes);
        Assert.Equal(Math.Min(bytes, 24), _vector.Length);
        Assert.Equal(sections, _vector.Sections.Length);
        Assert.Equal(_vector.Length, _vector.CopyTo(new byte[100]));
    }

    private unsafe uint NextAddress()
    {
        foreach (ref readonly Tmds.Linux.iovec section in _vector.Sections)
        {
            if (section.iov_len > 0)
                return (uint)((byte*)section.iov_base - _guest.Memory.Base);
        }

        throw new InvalidOperationException("nothing left");
    }
}
