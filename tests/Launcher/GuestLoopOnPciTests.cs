// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Backends;
using Lguest.Devices.Bus.Pci;
using Lguest.Devices.Models;
using Lguest.Devices.Virtio;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Virtio;
using Lguest.Launcher.Run;
using Lguest.Tests.Devices.Bus.Pci;
using Lguest.Tests.Support;

namespace Lguest.Tests.Launcher;

/// <summary>The main loop with a guest that does not come out for its devices: what follows from an access is seen to all the same.</summary>
public sealed class GuestLoopOnPciTests : IDisposable
{
    private const uint Data = 0x8_0000;

    private readonly TestGuest _guest = new();
    private readonly HostPipe _input = new();
    private readonly HostPipe _output = new();
    private readonly ConsolePort _port;
    private readonly PciBus _bus = new(0x0410_0000);
    private readonly PciDriver _driver;
    private readonly TestRing _fromGuest;

    public GuestLoopOnPciTests()
    {
        _port = new ConsolePort(_input.ReadEnd, _output.WriteEnd, TimeProvider.System);
        _bus.Add(new VirtioConsole(new ConsoleModel(_port), _guest.Memory, VirtioFormat.Pci));
        _bus.Connect(_guest.Fake);
        _driver = new PciDriver(_bus, 1);
        _fromGuest = new TestRing(_guest.Memory, new RingLayout(8, 0x4000, 0x5000, 0x6000));
        _driver.Start(_guest.Memory, new TestRing(_guest.Memory, new RingLayout(8, 0x1000, 0x2000, 0x3000)), _fromGuest);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _guest.Dispose();
        _input.Dispose();
        _output.Dispose();
    }

    /// <summary>Nobody reads the output any more: the guest is broken out, though it would run on.</summary>
    [Fact]
    public void ABrokenOutputEndsTheRun()
    {
        _output.CloseRead();
        using ManualResetEventSlim broken = new();
        Assert.Equal(RunEnd.OutputFailed, Run(
            broken.Set,
            () =>
            {
                _fromGuest.Offer(TestRing.Reads(Data, 4));
                _driver.Write(56, 2, 1);
                Assert.True(broken.Wait(LauncherProcess.Patience));
                return RunExit.Break;
            }).End);
    }

    private RunOutcome Run(Action onBreak, params Func<RunExit>[] exits)
    {
        _guest.Fake.OnBreak = () =>
        {
            onBreak();
            return true;
        };
        _guest.Fake.ComesOut(exits);
        using Waker waker = new(_guest.Fake, _bus.Inputs);
        return new GuestLoop(_guest.Fake, _bus, _port, waker, static () => false).Run();
    }
}
