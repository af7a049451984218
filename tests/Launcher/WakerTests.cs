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
    private readonly FakeGuest _guest = new();
    private readonly SemaphoreSlim _broken = new(0);
    private readonly SemaphoreSlim _released = new(0);
    private int _breaks;

    /// <summary>A guest whose break waits for its release, as a real one's does.</summary>
    public WakerTests()
    {
        _input.InputDescriptor.Returns(_pipe.ReadEnd);
        _input.WantsInput.Returns(true);
        _guest.OnRelease = () => _released.Release();
        _guest.OnBreak = () =>
        {
            Interlocked.Increment(ref _breaks);
            _broken.Release();
            _released.Wait();
            return true;
        };
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
        using Waker waker = new(_guest, [_input]);
        Assert.False(_broken.Wait(Quiet));
        _pipe.Write("x");
        Assert.True(_broken.Wait(Long));
        Assert.False(_broken.Wait(Quiet));
        _pipe.Read();
        waker.Update();
        _guest.ReleaseBreak();
        Assert.False(_broken.Wait(Quiet));
        Assert.Equal(1, _breaks);
    }

    /// <summary>A device that has no room is not asked for, however much there is to read; when it has room again, it is.</summary>
    [Fact]
    public void AFullDeviceIsLeftAloneUntilItHasRoom()
    {
        _input.WantsInput.Returns(false);
        _pipe.Write("x");
        using Waker waker = new(_guest, [_input]);
        Assert.False(_broken.Wait(Quiet));
        _input.WantsInput.Returns(true);
        waker.Update();
        Assert.True(_broken.Wait(Long));
        _pipe.Read();
        _guest.ReleaseBreak();
    }

    /// <summary>Input that the guest had no buffer for is offered again, with pauses that grow: seldom, but not never.</summary>
    [Fact]
    public void HeldInputIsOfferedAgainWithPauses()
    {
        _input.HoldsInput.Returns(true);
        using Waker waker = new(_guest, [_input]);
        const int offers = 10;
        Stopwatch watch = Stopwatch.StartNew();
        for (int i = 0; i < offers; i++)
        {
            Assert.True(_broken.Wait(Long));
            waker.Update();
            _guest.ReleaseBreak();
        }

        // 1, 2, 4 ... 128 ms, and then eight a second: far from a busy loop, however busy the machine is.
        Assert.True(watch.ElapsedMilliseconds > 300, $"{offers} offers in {watch.ElapsedMilliseconds} ms");
        _input.HoldsInput.Returns(false);
        waker.Update();
        while (_broken.Wait(Quiet))
            _guest.ReleaseBreak();
        int before = _breaks;
        Assert.False(_broken.Wait(Quiet));
        Assert.Equal(before, _breaks);
    }

    /// <summary>A signal wants the guest out without any input.</summary>
    [Fact]
    public void ARequestBreaksTheGuestOut()
    {
        using Waker waker = new(_guest, [_input]);
        waker.RequestBreak();
        Assert.True(_broken.Wait(Long));
        _guest.ReleaseBreak();
    }

    /// <summary>It can be stopped while it waits in a break for an owner who will not come back.</summary>
    [Fact]
    public async Task ItStopsInTheMiddleOfABreak()
    {
        Waker waker = new(_guest, [_input]);
        _pipe.Write("x");
        Assert.True(_broken.Wait(Long));
        await Task.Run(waker.Dispose).WaitAsync(Long);
    }

    /// <summary>A dead guest refuses a break: the waker goes quietly, and does not spin.</summary>
    [Fact]
    public void ADeadGuestEndsIt()
    {
        int asked = 0;
        FakeGuest dead = new() { OnBreak = () => Interlocked.Increment(ref asked) < 0 };
        using (Waker waker = new(dead, [_input]))
        {
            _pipe.Write("x");
            Thread.Sleep(Quiet);
            Assert.Null(waker.Failure);
        }

        Assert.Equal(1, asked);
    }

    /// <summary>A guest that, being dead, does not even let go of who waits: the launcher goes on without.</summary>
    [Fact]
    public async Task AnEngineThatHoldsItDoesNotHoldUs()
    {
        using ManualResetEventSlim never = new(false);
        FakeGuest dead = new()
        {
            OnBreak = () =>
            {
                _broken.Release();
                never.Wait();
                return true;
            },
        };
        Waker waker = new(dead, [_input]);
        _pipe.Write("x");
        Assert.True(_broken.Wait(Long));
        await Task.Run(waker.Dispose).WaitAsync(Long);
        never.Set();
    }
}
