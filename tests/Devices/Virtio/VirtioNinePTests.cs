// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Virtio;
using Lguest.GuestAbi;
using Lguest.GuestAbi.NineP;
using Lguest.GuestAbi.Virtio;
using Lguest.Tests.Devices.NineP;
using Lguest.Tests.Support;
using NSubstitute;

namespace Lguest.Tests.Devices.Virtio;

/// <summary>A share that is asked by way of a ring.</summary>
public sealed class VirtioNinePTests : IDisposable
{
    private const uint Request = 0x8_0000;
    private const uint Answer = 0x9_0000;

    private readonly TestGuest _guest = new();
    private readonly SharedPlace _place = new();
    private readonly IVirtioInterrupts _interrupts = Substitute.For<IVirtioInterrupts>();
    private readonly VirtioNineP _share;
    private readonly TestRing _ring;

    public VirtioNinePTests()
    {
        _share = new VirtioNineP(_place.Model, _guest.Memory, VirtioFormat.Pci) { Interrupts = _interrupts };
        Assert.True(_share.Accept(VirtioFeatures.Version1 | VirtioFeatures.NinePTag));
        _ring = new TestRing(_guest.Memory, RingLayout.Contiguous(0x1_0000, 64));
        _share.StartQueue(0, _ring.Layout);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _place.Dispose();
        _guest.Dispose();
    }

    [Fact]
    public void ItsTagIsInItsConfiguration()
    {
        byte[] configuration = new byte[_share.ConfigurationLength];
        _share.ReadConfiguration(configuration);
        Assert.Equal([4, 0, .. "test"u8], configuration);
        Assert.Equal((VirtioId.NineP, VirtioFeatures.NinePTag), (_share.Id, _share.OfferedFeatures & 1));
    }

    /// <summary>As Linux reads and writes much at once: its head in one piece, what is read or written in others.</summary>
    [Fact]
    public void MessagesMayBeInPieces()
    {
        _place.Client.Walk(1, 2, "file");
        _place.Client.Open(2, NinePOpen.ReadWrite);
        byte[] write = NinePClient.Message(NinePMessage.Write, 2u, 0ul, 6u);
        Put(Request, write);
        Put(Request + 0x1000, "abc"u8);
        Put(Request + 0x2000, "def"u8);
        _ring.Offer(TestRing.Reads(Request, (uint)write.Length), TestRing.Reads(Request + 0x1000, 3), TestRing.Reads(Request + 0x2000, 3), TestRing.Writes(Answer, 11));
        _share.Notify(0);
        Assert.Equal(11u, _ring.Used(0).Written);
        Assert.Equal("abcdeft", File.ReadAllText(_place["file"]));
        byte[] read = NinePClient.Message(NinePMessage.Read, 2u, 0ul, 7u);
        Put(Request, read);
        _ring.Offer(TestRing.Reads(Request, (uint)read.Length), TestRing.Writes(Answer, 11), TestRing.Writes(Answer + 0x1000, 3), TestRing.Writes(Answer + 0x2000, 100));
        _share.Notify(0);
        Assert.Equal(18u, _ring.Used(1).Written);
        Assert.Equal("abc"u8, _guest.Memory.Read(Answer + 0x1000, 3));
        Assert.Equal("deft"u8, _guest.Memory.Read(Answer + 0x2000, 4));
        _interrupts.Received(2).QueueUsed(0);
    }

    [Fact]
    public void AMessageWithoutRoomForAnAnswerBreaksTheDevice()
    {
        Put(Request, NinePMessages.All[0]);
        _ring.Offer(TestRing.Reads(Request, 20), TestRing.Writes(Answer, 10));
        _share.Notify(0);
        Assert.Equal("a message has room for an answer of 10 bytes", _share.Fault);
        _share.Reset();
        Assert.Null(_share.Fault);
    }

    /// <summary>The same memory again and again: longer than any message, and no answer to it but an error.</summary>
    [Fact]
    public void AMessageThatIsTooLongIsAnError()
    {
        _guest.Memory.WriteUInt32(Request, 0x10_0000);
        RingDescriptor[] pieces = new RingDescriptor[9];
        Array.Fill(pieces, TestRing.Reads(Request, 0x1_0000));
        _ring.Offer([.. pieces, TestRing.Writes(Answer, 100)]);
        _share.Notify(0);
        Assert.Null(_share.Fault);
        Assert.Equal(11u, _ring.Used(0).Written);
        Assert.Equal((byte)NinePMessage.ErrorAnswer, _guest.Memory.ReadValue<byte>(Answer + 4));
    }

    private void Put(uint address, ReadOnlySpan<byte> bytes) => bytes.CopyTo(_guest.Memory.Write(address, (uint)bytes.Length));
}
