// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices;
using Lguest.Devices.Bus;
using Lguest.GuestAbi;
using Lguest.Launcher.Common;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace Lguest.Launcher.Run;

// [L:230] Waking somebody who is busy
/// <summary>
/// While the owner thread runs the guest, somebody has to watch the keyboard. The waker sleeps in <c>poll</c> until a device's
/// descriptor is readable, and then breaks the guest out; the break returns when the owner has looked after its devices and
/// releases it. The first launcher had a process for this, "merely a different kind of icky"; a thread is enough here.
/// </summary>
/// <remarks>
/// Nothing tells us when a guest gives its console buffer back: it writes a zero in its own memory. So input that the guest had
/// no room for is offered again: after the guest's next output, and by this thread after a pause that grows from 1 to 128 ms.
/// With nothing waiting there is no timeout at all, and a halted guest's launcher sleeps.
/// </remarks>
public sealed unsafe class Waker : IDisposable
{
    private const int FirstPause = 1;
    private const int LongestPause = 128;
    private const int PollCall = 7;

    private readonly IGuest _guest;
    private readonly IReadOnlyList<IInputDevice> _inputs;
    private readonly Lock _lock = new();
    private readonly int _pokeRead;
    private readonly int _pokeWrite;
    private readonly Thread _thread;
    private readonly int[] _watched;
    private int _watchedCount;
    private int _pause = FirstPause;
    private bool _offerAgain;
    private bool _breakWanted;
    private bool _stopping;

    /// <summary>Starts watching.</summary>
    /// <param name="guest">The guest, which is broken out and nothing else.</param>
    /// <param name="inputs">The devices with input.</param>
    public Waker(IGuest guest, IReadOnlyList<IInputDevice> inputs)
    {
        _guest = guest;
        _inputs = inputs;
        _watched = new int[inputs.Count];
        int* ends = stackalloc int[2];
        if (pipe(ends) != 0)
            throw new LaunchException($"cannot make a pipe: {HostMessage.Of((HostErrno)errno)}");
        (_pokeRead, _pokeWrite) = (ends[0], ends[1]);
        Update();
        _thread = new Thread(Watch) { IsBackground = true, Name = "waker" };
        _thread.Start();
    }

    /// <summary>What the thread died of, if it did.</summary>
    public Exception? Failure { get; private set; }

    /// <summary>The owner has looked after its devices: takes note of which want input, and which hold some.</summary>
    /// <param name="delivered">Whether the guest took some: then it is worth trying again soon.</param>
    public void Update(bool delivered = false)
    {
        bool changed;
        lock (_lock)
        {
            int count = 0;
            bool holds = false;
            bool different = false;
            foreach (IInputDevice input in _inputs)
            {
                holds |= input.HoldsInput;
                if (!input.WantsInput)
                    continue;
                different |= count >= _watchedCount || _watched[count] != input.InputDescriptor;
                _watched[count++] = input.InputDescriptor;
            }

            changed = different || count != _watchedCount || holds != _offerAgain;
            _watchedCount = count;
            _offerAgain = holds;
            if (!holds || delivered)
                _pause = FirstPause;
        }

        if (changed)
            Poke();
    }

    /// <summary>Breaks the guest out as soon as possible. From any thread.</summary>
    public void RequestBreak()
    {
        lock (_lock)
            _breakWanted = true;
        Poke();
    }

    /// <summary>Stops watching. Called by the owner of the guest, who lets go of a thread that is in the middle of a break.</summary>
    public void Dispose()
    {
        lock (_lock)
            _stopping = true;
        Poke();

        // Again and again: it may be on its way into a break at this moment. An engine that does not let it go must not hold us:
        // then the thread stays behind with its pipe, and goes with the process.
        const int Patience = 10;
        const int Tries = 300;
        for (int i = 0; !_thread.Join(Patience); i++)
        {
            if (i == Tries)
                return;
            _guest.ReleaseBreak();
        }

        _ = close(_pokeRead);
        _ = close(_pokeWrite);
    }

    private void Poke()
    {
        // A full pipe has poked enough.
        byte one = 1;
        _ = write(_pokeWrite, &one, 1);
    }

    private void Watch()
    {
        try
        {
            while (WaitForWork())
            {
                // When there is no guest to break out of any more, the owner will find out by itself.
                if (!_guest.Break())
                    return;
            }
        }
        catch (Exception failure)
        {
            // Told by the owner, who restores the terminal first.
            Failure = failure;
            _ = _guest.Break();
        }
    }

    /// <summary>Sleeps. True: break the guest out. False: the end.</summary>
    private bool WaitForWork()
    {
        pollfd[] fds = new pollfd[1 + _inputs.Count];
        while (true)
        {
            int count;
            int timeout;
            lock (_lock)
            {
                if (_stopping)
                    return false;
                if (_breakWanted)
                {
                    _breakWanted = false;
                    return true;
                }

                fds[0] = new pollfd { fd = _pokeRead, events = POLLIN };
                for (int i = 0; i < _watchedCount; i++)
                    fds[1 + i] = new pollfd { fd = _watched[i], events = POLLIN };
                count = 1 + _watchedCount;
                timeout = -1;
                if (_offerAgain)
                {
                    timeout = _pause;
                    _pause = Math.Min(2 * _pause, LongestPause);
                }
            }

            // By number: Tmds.LibC's poll does not keep the error.
            int ready;
            fixed (pollfd* all = fds)
                ready = (int)syscall(PollCall, all, count, timeout);
            if (ready < 0)
            {
                HostErrno error = (HostErrno)errno;
                if (error is HostErrno.EINTR or HostErrno.EAGAIN)
                    continue;
                throw new InvalidOperationException($"poll: {HostMessage.Of(error)}");
            }

            if (fds[0].revents != 0)
            {
                DrainPoke();
                continue;
            }

            return true;
        }
    }

    private void DrainPoke()
    {
        byte* buffer = stackalloc byte[64];
        _ = read(_pokeRead, buffer, 64);
    }
}
