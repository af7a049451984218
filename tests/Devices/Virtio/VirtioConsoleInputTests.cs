// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using Lguest.Devices.Backends;
using Lguest.Devices.Models;
using Lguest.Devices.Virtio;
using Lguest.GuestAbi.Virtio;
using Lguest.Tests.Support;

namespace Lguest.Tests.Devices.Virtio;

/// <summary>When what was typed reaches a driver: not before it is ready, and whatever else is going on.</summary>
public sealed class VirtioConsoleInputTests : IDisposable
{
    private const uint Data = 0x8_0000;

    private readonly TestGuest _guest = new();
    private readonly HostPipe _input = new();
    private readonly HostPipe _output = new();
    private readonly ManualClock _clock = new();
    private readonly ConsolePort _port;
    private readonly VirtioConsole _console;
    private readonly TestRing _toGuest;
    private readonly TestRing _fromGuest;

    public VirtioConsoleInputTests()
    {
        _port = new ConsolePort(_input.ReadEnd, _output.WriteEnd, TimeProvider.System);
        _console = new VirtioConsole(new ConsoleModel(_port), _guest.Memory, VirtioFormat.Pci, clock: _clock);
        Assert.True(_console.Accept(_console.OfferedFeatures));
        _toGuest = Start(0, 0x1_0000);
        _fromGuest = Start(1, 0x2_0000);
        _input.Write("typed before");
        _console.ReadInput();
        _toGuest.Offer(TestRing.Writes(Data, 100));
        _console.Notify(0);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _port.Dispose();
        _input.Dispose();
        _output.Dispose();
        _guest.Dispose();
    }

    /// <summary>A driver throws away what it gets while it is still being set up; 20 ms after its first word it is there.</summary>
    [Fact]
    public void ADriverGetsInputAfterItHasSpoken()
    {
        Assert.Equal((0, true), (_toGuest.UsedIndex, _console.HoldsInput));
        _clock.Advance(TimeSpan.FromMilliseconds(500));
        Say("up");
        Assert.False(_console.Deliver());
        _clock.Advance(TimeSpan.FromMilliseconds(19));
        Say("more");
        Assert.False(_console.Deliver());
        _clock.Advance(TimeSpan.FromMilliseconds(1));
        Assert.True(_console.Deliver());
        Assert.Equal("typed before", Text(Data, (int)_toGuest.Used(0).Written));
    }

    /// <summary>One that says nothing gets it a second after it has begun, and from then on at once.</summary>
    [Fact]
    public void ASilentDriverGetsInputAfterASecond()
    {
        _clock.Advance(TimeSpan.FromMilliseconds(999));
        Assert.False(_console.Deliver());
        _clock.Advance(TimeSpan.FromMilliseconds(1));
        Assert.True(_console.Deliver());
        _input.Write("x");
        _console.ReadInput();
        _toGuest.Offer(TestRing.Writes(Data, 100));
        _console.Notify(0);
        Assert.Equal(2, _toGuest.UsedIndex);
    }

    /// <summary>While output waits for its reader, what is typed is delivered; and every byte of the output is its own.</summary>
    [Fact]
    public void InputIsDeliveredWhileOutputWaits()
    {
        _clock.Advance(TimeSpan.FromSeconds(1));
        const int length = 200_000;
        byte[] words = [.. Enumerable.Range(0, length).Select(static i => (byte)('a' + (i % 26)))];
        words.CopyTo(_guest.Memory.Write(0x3_0000, length));
        StringBuilder heard = new();
        int waits = 0;
        _port.WaitToWrite = _ =>
        {
            if (waits++ == 0)
                Assert.True(_console.Deliver());
            heard.Append(_output.Read());
            return true;
        };
        _fromGuest.Offer(TestRing.Reads(0x3_0000, length));
        _console.Notify(1);
        heard.Append(_output.Read());
        Assert.InRange(waits, 1, length);
        Assert.Equal(Encoding.ASCII.GetString(words), heard.ToString());
        Assert.Equal(("typed before", 1), (Text(Data, 12), _fromGuest.UsedIndex));
    }

    private void Say(string text)
    {
        Encoding.ASCII.GetBytes(text).CopyTo(_guest.Memory.Write(0x3_0000, (uint)text.Length));
        _fromGuest.Offer(TestRing.Reads(0x3_0000, (uint)text.Length));
        _console.Notify(1);
    }

    private string Text(uint address, int length) => Encoding.ASCII.GetString(_guest.Memory.Read(address, (uint)length));

    private TestRing Start(int queue, uint place)
    {
        TestRing ring = new(_guest.Memory, new RingLayout(8, place, place + 0x1000, place + 0x2000));
        _console.StartQueue(queue, ring.Layout);
        return ring;
    }
}
