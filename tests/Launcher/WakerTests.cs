// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using Lguest.Devices.Bus;
using Lguest.GuestAbi;
using Lguest.Launcher.Run;
using Lguest.Tests.Support;
using NSubstitute;
using Xunit;

namespace Lguest.Tests.Launcher;

/// <summary>The thread that breaks the guest out: when there is something, and only then.</summary>
public sealed class WakerTests : IDisposable
{
    private static readonly TimeSpan Long = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Quiet = TimeSpan.FromMilliseconds(300);

    private readonly HostPipe _pipe = new();
    private readonly IInputDevice _input = Substitute.For<IInputDevice>();
    private readonly IGuestChannel _channel = Substitute.For<IGuestChannel>();
    private readonly SemaphoreSlim _broken = new(0);
    private readonly SemaphoreSlim _released = new(0);
    private int _breaks;

    /// <summary>A channel whose BREAK waits for its release, as a real one does.</summary>
    public WakerTests()
    {
        _input.InputDescriptor.Returns(_pipe.ReadEnd);
        _input.WantsInput.Returns(true);
        _channel.Write(Arg.Any<ReadOnlyMemory<byte>>()).Returns(call =>
        {
            ReadOnlySpan<byte> words = call.Arg<ReadOnlyMemory<byte>>().Span;
            Assert.Equal((byte)ChannelRequest.Break, words[0]);
            if (words[4] == 0)
            {
                _released.Release();
                return 0L;
            }

            Interlocked.Increment(ref _breaks);
            _broken.Release();
            _released.Wait();
            return 0L;
        });
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _pipe.Dispose();
        _broken.Dispose();
        _released.Dispose();
    }

    /// <summary>Input breaks the guest out once, until the owner has looked after it.</summary>
    [Fact]
    public void InputBreaksTheGuestOut()
    {
        using Waker waker = new(_channel, [_input]);
        Assert.False(_broken.Wait(Quiet));
        _pipe.Write("x");
        Assert.True(_broken.Wait(Long));
        Assert.False(_broken.Wait(Quiet));
        _pipe.Read();
        waker.Update();
        _channel.ReleaseBreak();
        Assert.False(_broken.Wait(Quiet));
        Assert.Equal(1, _breaks);
    }

    /// <summary>A device that has no room is not asked for, however much there is to read; when it has room again, it is.</summary>
    [Fact]
    public void AFullDeviceIsLeftAloneUntilItHasRoom()
    {
        _input.WantsInput.Returns(false);
        _pipe.Write("x");
        using Waker waker = new(_channel, [_input]);
        Assert.False(_broken.Wait(Quiet));
        _input.WantsInput.Returns(true);
        waker.Update();
        Assert.True(_broken.Wait(Long));
        _pipe.Read();
        _channel.ReleaseBreak();
    }

    /// <summary>Input that the guest had no buffer for is offered again, with pauses that grow: seldom, but not never.</summary>
    [Fact]
    public void HeldInputIsOfferedAgainWithPauses()
    {
        _input.HoldsInput.Returns(true);
        using Waker waker = new(_channel, [_input]);
        const int offers = 10;
        Stopwatch watch = Stopwatch.StartNew();
        for (int i = 0; i < offers; i++)
        {
            Assert.True(_broken.Wait(Long));
            waker.Update();
            _channel.ReleaseBreak();
        }

        // 1, 2, 4 ... 128 ms, and then eight a second: far from a busy loop, however busy the machine is.
        Assert.True(watch.ElapsedMilliseconds > 300, $"{offers} offers in {watch.ElapsedMilliseconds} ms");
        _input.HoldsInput.Returns(false);
        waker.Update();
        while (_broken.Wait(Quiet))
            _channel.ReleaseBreak();
        int before = _breaks;
        Assert.False(_broken.Wait(Quiet));
        Assert.Equal(before, _breaks);
    }

    /// <summary>A signal wants the guest out without any input.</summary>
    [Fact]
    public void ARequestBreaksTheGuestOut()
    {
        using Waker waker = new(_channel, [_input]);
        waker.RequestBreak();
        Assert.True(_broken.Wait(Long));
        _channel.ReleaseBreak();
    }

    /// <summary>It can be stopped while it waits in BREAK for an owner who will not come back.</summary>
    [Fact]
    public async Task ItStopsInTheMiddleOfABreak()
    {
        Waker waker = new(_channel, [_input]);
        _pipe.Write("x");
        Assert.True(_broken.Wait(Long));
        await Task.Run(waker.Dispose).WaitAsync(Long);
    }

    /// <summary>A dead guest's channel refuses BREAK: the waker goes quietly, and does not spin.</summary>
    [Fact]
    public void ADeadGuestEndsIt()
    {
        int asked = 0;
        IGuestChannel dead = Substitute.For<IGuestChannel>();
        dead.Write(Arg.Any<ReadOnlyMemory<byte>>()).Returns(_ =>
        {
            Interlocked.Increment(ref asked);
            return -Errno.ENOENT;
        });
        using (Waker waker = new(dead, [_input]))
        {
            _pipe.Write("x");
            Thread.Sleep(Quiet);
            Assert.Null(waker.Failure);
        }

        Assert.Equal(1, asked);
    }

    /// <summary>A channel that, its guest being dead, does not even let go of who waits: the launcher goes on without.</summary>
    [Fact]
    public async Task AnEngineThatHoldsItDoesNotHoldUs()
    {
        using ManualResetEventSlim never = new(false);
        IGuestChannel dead = Substitute.For<IGuestChannel>();
        dead.Write(Arg.Any<ReadOnlyMemory<byte>>()).Returns(call =>
        {
            if (call.Arg<ReadOnlyMemory<byte>>().Span[4] == 0)
                return -Errno.ENOENT;
            _broken.Release();
            never.Wait();
            return 0;
        });
        Waker waker = new(dead, [_input]);
        _pipe.Write("x");
        Assert.True(_broken.Wait(Long));
        await Task.Run(waker.Dispose).WaitAsync(Long);
        never.Set();
    }
}
