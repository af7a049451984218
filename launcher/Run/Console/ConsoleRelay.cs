// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using Lguest.Inspect.Control;
using Lguest.Launcher.Common;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace Lguest.Launcher.Run.Console;

/// <summary>
/// Carries bytes between the guest's console and a peer that comes and goes. A guest never waits for a console that nobody
/// reads: the last 64 KiB are kept, and whoever comes gets them first.
/// </summary>
internal sealed unsafe class ConsoleRelay : IDisposable
{
    /// <summary>How often to look for a peer whose coming cannot be waited for, in milliseconds.</summary>
    private const int LookEvery = 100;

    /// <summary>How long the peer is given to read the guest's last words, in milliseconds.</summary>
    private const int LastWords = 500;

    private const int Piece = 4096;
    private static readonly short s_both = (short)(POLLIN + POLLOUT);
    private static readonly short s_somethingToRead = (short)(POLLIN + POLLHUP + POLLERR);

    private readonly IConsolePeer _peer;
    private readonly ConsoleLog _log = new();
    private readonly int _end;
    private readonly Thread _thread;
    private readonly byte[] _input = new byte[Piece];
    private readonly byte[] _output = new byte[Piece];
    private int _inputStart;
    private int _inputEnd;
    private long _seen;
    private byte[] _pending = [];
    private int _pendingStart;

    /// <summary>Starts to carry.</summary>
    /// <exception cref="LaunchException">The host has no descriptors left.</exception>
    public ConsoleRelay(IConsolePeer peer)
    {
        _peer = peer;
        int* pair = stackalloc int[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
            throw new LaunchException($"--console: cannot make a socket pair: {Marshal.GetLastPInvokeErrorMessage()}");
        (GuestEnd, _end) = (pair[0], pair[1]);
        _ = fcntl(_end, F_SETFL, O_NONBLOCK);
        _thread = new Thread(Carry) { IsBackground = true, Name = "console" };
        _thread.Start();
    }

    /// <summary>What the guest's console port reads and writes.</summary>
    public int GuestEnd { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        // The guest's end closes for writing: the thread carries what is still in it, and ends.
        _ = shutdown(GuestEnd, SHUT_WR);
        bool ended = _thread.Join(2 * LastWords);
        _ = close(GuestEnd);
        _peer.Dispose();
        if (ended)
            _ = close(_end);
    }

    private void Carry()
    {
        pollfd* fds = stackalloc pollfd[3];
        bool guestEnded = false;
        for (int patience = LastWords; patience > 0;)
        {
            bool behind = _pendingStart < _pending.Length || _log.Total != _seen;
            if (guestEnded && (_peer.Descriptor < 0 || !behind))
                return;
            fds[0] = new pollfd { fd = guestEnded ? -1 : _end, events = _inputStart < _inputEnd ? s_both : POLLIN };
            fds[1] = new pollfd { fd = _peer.Descriptor, events = _inputStart < _inputEnd ? (behind ? POLLOUT : (short)0) : behind ? s_both : POLLIN };
            fds[2] = new pollfd { fd = _peer.Descriptor < 0 ? _peer.Arrivals : -1, events = POLLIN };
            bool mustLook = _peer.Descriptor < 0 && _peer.Arrivals < 0;
            int timeout = guestEnded || mustLook ? LookEvery : -1;
            _ = poll(fds, 3, timeout);
            if (guestEnded)
                patience -= LookEvery;
            if ((fds[0].revents & s_somethingToRead) != 0)
                guestEnded = !HearGuest();
            if ((fds[0].revents & POLLOUT) != 0)
                TellGuest();
            if ((fds[1].revents & POLLIN) != 0 && !HearPeer())
                continue;
            if ((fds[1].revents & POLLOUT) != 0)
                TellPeer();
            else if ((fds[1].revents & s_somethingToRead) != 0 && (fds[1].revents & POLLIN) == 0)
                Forget();
            if (_peer.Descriptor >= 0 || (!mustLook && fds[2].revents == 0))
                continue;
            _peer.Look();

            // Somebody came and cannot be let in (too many files are open): poll says so again at once.
            if (_peer.Descriptor < 0 && !mustLook)
                Thread.Sleep(LookEvery);
        }
    }

    /// <summary>The guest's words go into the log.</summary>
    /// <returns>False: there will be no more.</returns>
    private bool HearGuest()
    {
        nint count;
        fixed (byte* buffer = _output)
            count = (nint)read(_end, buffer, Piece);
        if (count > 0)
            _log.Append(_output.AsSpan(0, (int)count));
        return count > 0 || (count < 0 && IsPassing());
    }

    private void TellGuest()
    {
        nint count;
        fixed (byte* buffer = &_input[_inputStart])
            count = (nint)write(_end, buffer, (size_t)(_inputEnd - _inputStart));
        if (count > 0)
            _inputStart += (int)count;
    }

    private bool HearPeer()
    {
        nint count;
        fixed (byte* buffer = _input)
            count = (nint)read(_peer.Descriptor, buffer, Piece);
        if (count > 0)
        {
            (_inputStart, _inputEnd) = (0, (int)count);
            return true;
        }

        if (count < 0 && IsPassing())
            return true;
        Forget();
        return false;
    }

    private void TellPeer()
    {
        if (_pendingStart == _pending.Length)
        {
            _pending = _log.Read(ref _seen, out _);
            _pendingStart = 0;
            if (_pending.Length == 0)
                return;
        }

        nint count;
        fixed (byte* buffer = &_pending[_pendingStart])
            count = (nint)write(_peer.Descriptor, buffer, (size_t)(_pending.Length - _pendingStart));
        if (count > 0)
            _pendingStart += (int)count;
        else if (!IsPassing())
            Forget();
    }

    /// <summary>The peer has gone: the next one gets what is kept.</summary>
    private void Forget()
    {
        _peer.Leave();
        _pending = [];
        _pendingStart = 0;
        _seen = 0;
    }

    private static bool IsPassing() => Marshal.GetLastPInvokeError() is int error && (error == EAGAIN || error == EINTR);
}
