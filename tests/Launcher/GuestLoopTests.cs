// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using Lguest.Devices.Backends;
using Lguest.Devices.Bus.Dma;
using Lguest.Devices.Models;
using Lguest.GuestAbi;
using Lguest.Launcher.Common;
using Lguest.Launcher.Run;
using Lguest.Tests.Support;
using Xunit;

namespace Lguest.Tests.Launcher;

/// <summary>The main loop, with a guest that comes out by a script.</summary>
public sealed class GuestLoopTests : IDisposable
{
    private readonly TestGuest _guest = new();
    private readonly HostPipe _input = new();
    private readonly HostPipe _output = new();
    private readonly ConsolePort _port;
    private readonly DmaBus _bus;
    private bool _stop;

    /// <summary>A guest with a console.</summary>
    public GuestLoopTests()
    {
        _port = new ConsolePort(_input.ReadEnd, _output.WriteEnd, TimeProvider.System);
        _bus = new DmaBus(_guest.Memory, TestGuest.Ram);
        _bus.Add(new DmaConsole(new ConsoleModel(_port), key: 0));
        _bus.Connect(_guest.Fake);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _guest.Dispose();
        _input.Dispose();
        _output.Dispose();
    }

    /// <summary>A death, its reason, and the end; the words for a power-off are a good end.</summary>
    [Theory]
    [InlineData("CRASH: Power down", RunEnd.PoweredOff)]
    [InlineData("CRASH: Power down.", RunEnd.Died)]
    [InlineData("unhandled trap 13 at 0xc0100000 (0)", RunEnd.Died)]
    public void ADeathHasAReason(string reason, RunEnd end) =>
        Assert.Equal(new RunOutcome(end, reason), Run(Died(reason)));

    /// <summary>What a guest says when it dies is printed: it is no command for the terminal, and no line of ours.</summary>
    [Fact]
    public void AReasonIsMadeVisible() =>
        Assert.Equal(
            new RunOutcome(RunEnd.Died, "CRASH: \\x1b]0;x\\x07\\nlguest: disk saved"),
            Run(Died("CRASH: \u001b]0;x\u0007\nlguest: disk saved")));

    /// <summary>The shortest reason there is has as many bytes as a DMA has in the old protocol: it is a reason.</summary>
    [Fact]
    public void ACrashWithoutAWordIsADeath() => Assert.Equal(new RunOutcome(RunEnd.Died, "CRASH: "), Run(Died("CRASH: ")));

    /// <summary>What the guest said is bytes, and most likely UTF-8.</summary>
    [Fact]
    public void AReasonIsReadAsUtf8() =>
        Assert.Equal(new RunOutcome(RunEnd.Died, "CRASH: größer"), Run(Died(Encoding.Latin1.GetString("CRASH: größer"u8))));

    /// <summary>A reason that is none.</summary>
    [Fact]
    public void AMissingReasonIsReplaced() =>
        Assert.Equal(new RunOutcome(RunEnd.Died, "the guest died without giving a reason"), Run(Died(string.Empty)));

    /// <summary>A DMA goes to the bus.</summary>
    [Fact]
    public void ADmaGoesToItsDevice()
    {
        "Hi"u8.CopyTo(_guest.Memory.Write(0x8000, 2));
        _guest.WriteDma(0x1000, (0x8000, 2));
        Assert.Equal(RunEnd.PoweredOff, Run(Dma(0x1000, 0), Died(GuestDeath.PowerDown)).End);
        Assert.Equal("Hi", _output.Read());
        Assert.Equal(2u, _guest.UsedLen(0x1000));
    }

    /// <summary>DMA from memory that is not the guest's is its death, in the first launcher's words.</summary>
    [Theory]
    [InlineData(0x7FFFF000u, 0x8000u)]
    [InlineData(0x1000u, 0x7FFFF000u)]
    public void AnInvalidAddressIsADeath(uint dma, uint section)
    {
        _guest.WriteDma(0x1000, (section, 2));
        RunOutcome outcome = Run(Dma(dma, 0));
        Assert.Equal(RunEnd.Died, outcome.End);
        Assert.StartsWith("Invalid address 0x7ffff000 ", outcome.Reason, StringComparison.Ordinal);
    }

    /// <summary>A break: the input is read and delivered, and then the break is released.</summary>
    [Fact]
    public void ABreakServicesInput()
    {
        _guest.WriteDma(0x3000, (0x8000, 16));
        _guest.Fake.Bind(0, 0x3000, 1);
        _input.Write("abc");
        Run(Break, Died("x"));
        Assert.Equal(3u, _guest.UsedLen(0x3000));
        Assert.Equal([1u], _guest.Fake.Irqs);
        Assert.Equal(1, _guest.Fake.Releases);
    }

    /// <summary>What was typed before the guest had a buffer is delivered at its next sign of life.</summary>
    [Fact]
    public void HeldInputIsDeliveredAfterOutput()
    {
        _input.Write("abc");
        Run(
            Break,
            () =>
            {
                Assert.Empty(_guest.Fake.Irqs);
                _guest.WriteDma(0x3000, (0x8000, 16));
                _guest.Fake.Bind(0, 0x3000, 1);
                _guest.WriteDma(0x1000);
                return RunExit.Dma(0x1000, 0);
            },
            Died("x"));
        Assert.Equal(3u, _guest.UsedLen(0x3000));
    }

    /// <summary>Nobody listens to the output any more.</summary>
    [Fact]
    public void ABrokenOutputEndsTheRun()
    {
        _output.CloseRead();
        _guest.WriteDma(0x1000, (0x8000, 2));
        Assert.Equal(RunEnd.OutputFailed, Run(Dma(0x1000, 0)).End);
    }

    /// <summary>Three ^C in three breaks.</summary>
    [Fact]
    public void ThreeControlCEndTheRun()
    {
        RunExit Press()
        {
            _input.Write("\x03");
            return RunExit.Break;
        }

        Assert.Equal(RunEnd.ConsoleAbort, Run(Press, Press, Press).End);
    }

    /// <summary>A signal came: after the next look at the devices it is over.</summary>
    [Fact]
    public void ASignalEndsTheRun()
    {
        _stop = true;
        Assert.Equal(RunEnd.Stopped, Run(Break).End);
    }

    /// <summary>The reset line.</summary>
    [Fact]
    public void AResetEndsTheRun() => Assert.Equal(RunEnd.Restarted, Run(static () => RunExit.Restart).End);

    /// <summary>What nobody here can do anything about is an error, and no loop.</summary>
    [Fact]
    public void AnythingElseIsAnError() =>
        Assert.Contains("99", Assert.Throws<LaunchException>(() => Run(static () => new RunExit((RunExitKind)99))).Message, StringComparison.Ordinal);

    private static RunExit Break() => RunExit.Break;

    private static Func<RunExit> Died(string reason) => () => RunExit.Died(reason);

    private static Func<RunExit> Dma(uint address, uint key) => () => RunExit.Dma(address, key);

    private RunOutcome Run(params Func<RunExit>[] exits)
    {
        _guest.Fake.ComesOut(exits);

        // A waker without devices never breaks anything: the script says when.
        using FakeGuest nobody = new();
        using Waker waker = new(nobody, []);
        return new GuestLoop(_guest.Fake, _bus, _port, waker, () => _stop).Run();
    }
}
