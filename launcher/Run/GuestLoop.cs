// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using Lguest.Devices.Backends;
using Lguest.Devices.Bus;
using Lguest.Engine.Hypervisor;
using Lguest.GuestAbi;
using Lguest.Inspect.Common;
using Lguest.Launcher.Common;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace Lguest.Launcher.Run;

/// <summary>
/// The heart of the launcher: run the guest; look after what it wants; run it again. Runs on the thread that owns the guest.
/// </summary>
public sealed class GuestLoop
{
    private readonly IGuest _guest;
    private readonly IGuestBus _bus;
    private readonly ConsolePort _console;
    private readonly Waker _waker;
    private readonly Func<bool> _stopRequested;
    private readonly Func<int, WriteWait>? _waitToWrite;

    /// <summary>A loop around one guest.</summary>
    /// <param name="guest">The guest, which belongs to the calling thread.</param>
    /// <param name="bus">Its devices.</param>
    /// <param name="console">Asked, after each look at the devices, whether the user wants out.</param>
    /// <param name="waker">Watches the input.</param>
    /// <param name="stopRequested">Whether a signal wants the end.</param>
    /// <param name="waitToWrite">Waits for the console's reader, and for whoever wants something of the guest meanwhile; null: the write waits.</param>
    public GuestLoop(IGuest guest, IGuestBus bus, ConsolePort console, Waker waker, Func<bool> stopRequested, Func<int, WriteWait>? waitToWrite = null)
    {
        _guest = guest;
        _bus = bus;
        _console = console;
        _waker = waker;
        _stopRequested = stopRequested;
        _waitToWrite = waitToWrite;
        console.WaitToWrite = waitToWrite == null ? null : WaitForReader;
        bus.Served += LookAfterServed;
    }

    // [L:220+46] The loop
    // The heart of the launcher: run the guest; look after what it wants; run it again. There are four reasons to come out: the
    // guest has sent something to a device; somebody wants us; it is dead; it wants to be restarted. A guest on PCI does not come out
    // for its devices: it accesses them ([D:270]), and we look after the rest when they have been served.
    /// <summary>Runs the guest to its end.</summary>
    /// <exception cref="LaunchException">The guest came out for something that nobody here can do.</exception>
    public RunOutcome Run()
    {
        while (true)
        {
            RunExit exit = _guest.Run();
            switch (exit.Kind)
            {
                case RunExitKind.Break:
                    ServiceInput();
                    _guest.ReleaseBreak();
                    break;

                case RunExitKind.Died:
                    return Dead(exit.Reason!);

                case RunExitKind.Restart:
                    return new RunOutcome(RunEnd.Restarted);

                default:
                    if (!_bus.TryServe(exit, out string? death))
                        throw new LaunchException($"running the guest failed: the engine answered {exit}");
                    if (death != null)
                        return new RunOutcome(RunEnd.Died, death);
                    OfferHeldInput();
                    break;
            }

            if (_waker.Failure is Exception failure)
                throw new LaunchException($"watching the input failed: {failure.Message}");
            if (_console.AbortRequested)
                return new RunOutcome(RunEnd.ConsoleAbort);
            if (_console.OutputError != 0)
                return new RunOutcome(RunEnd.OutputFailed);
            if (_stopRequested())
                return new RunOutcome(RunEnd.Stopped);
        }
    }

    private static RunOutcome Dead(string bytes)
    {
        // What a guest says when it dies is in its own encoding, which most likely is this.
        string reason = Encoding.UTF8.GetString(Encoding.Latin1.GetBytes(bytes));
        return reason == GuestDeath.PowerDown
            ? new RunOutcome(RunEnd.PoweredOff, reason)
            : new RunOutcome(RunEnd.Died, reason.Length == 0 ? "the guest died without giving a reason" : VisibleText.Of(reason));
    }

    /// <summary>
    /// Nobody reads what the guest says. It has to wait, but we go on: input is looked at (it may be ^C), and signals.
    /// </summary>
    /// <returns>Whether there is a reader again; false: nobody waits for it any more.</returns>
    private bool WaitForReader(int fd)
    {
        while (true)
        {
            switch (_waitToWrite!(fd))
            {
                case WriteWait.Writable:
                    return true;
                case WriteWait.GuestOver:
                    return false;
            }

            ServiceInput();
            _guest.ReleaseBreak();
            if (_console.AbortRequested || _stopRequested() || _waker.Failure != null)
                return false;
        }
    }

    private void ServiceInput()
    {
        foreach (IInputDevice input in _bus.Inputs)
        {
            if (input.WantsInput && IsReadable(input.InputDescriptor))
                input.ReadInput();
        }

        OfferHeldInput();
        _waker.Update();
    }

    /// <summary>Something may have changed on the guest's side: offers it what it had no room for.</summary>
    private void OfferHeldInput()
    {
        foreach (IInputDevice input in _bus.Inputs)
        {
            if (!input.HoldsInput)
                continue;
            bool wanted = input.WantsInput;
            bool given = input.Deliver();
            if (given || !input.HoldsInput || input.WantsInput != wanted)
                _waker.Update(delivered: true);
        }
    }

    /// <summary>
    /// The guest had a device serve it and runs on: gets what came of that, and what it has room for now. It comes out only if it must end.
    /// </summary>
    private void LookAfterServed()
    {
        bool given = false;
        foreach (IInputDevice input in _bus.Inputs)
            given |= input.HoldsInput && input.Deliver();
        _waker.Update(delivered: given);
        if (_console.OutputError != 0)
            _waker.RequestBreak();
    }

    private static unsafe bool IsReadable(int fd)
    {
        pollfd state = new() { fd = fd, events = POLLIN };
        return poll(&state, 1, 0) > 0;
    }
}
