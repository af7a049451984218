// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Lguest.GuestAbi.Debugging;
using Lguest.Inspect.Common;
using Lguest.Inspect.Monitor;
using Lguest.Inspect.Target;

namespace Lguest.Inspect.Gdb;

/// <summary>
/// One gdb, from connecting to leaving: the remote serial protocol ("Debugging with GDB", appendix E), all-stop, one thread.
/// Requests come in on this object's own thread, and everything they ask about the guest is done by the guest's owner; a stop
/// is reported from there.
/// </summary>
public sealed partial class GdbSession : IGuestDebugger, IDisposable
{
    /// <summary>Longest packet, in characters; memory goes in two of them a byte.</summary>
    private const int PacketSize = 0x4000;

    private const int SignalInterrupt = 2;
    private const int SignalTrap = 5;
    private const int SignalAbort = 6;
    private const int SignalSegmentation = 11;
    private const string Ok = "OK";
    private const string NotMapped = "E0e";
    private const string BadRequest = "E16";
    private const string Gone = "E03";
    private readonly Socket _socket;
    private readonly DebugTarget _target;
    private readonly MonitorCommands _monitor;
    private readonly GdbWire _wire;
    private readonly Lock _lock = new();
    private GuestStop _stop = new(StopCause.Pause);
    private bool _waitsForStop;
    private bool _interrupted;
    private bool _saysWhichBreak;
    private bool _over;
    private bool _detached;

    /// <summary>A session on a connection, which it takes over.</summary>
    public GdbSession(Socket socket, DebugTarget target, MonitorCommands monitor)
    {
        _socket = socket;
        _target = target;
        _monitor = monitor;
        _wire = new GdbWire(new NetworkStream(socket));
    }

    /// <summary>Serves until gdb leaves.</summary>
    public void Run()
    {
        if (!_target.TryAttach(this))
            return;
        try
        {
            while (!_over && _wire.Read() is { } packet)
            {
                if (packet == GdbWire.Interrupt)
                    Interrupt();
                else if (Answer(packet) is { } answer)
                    _wire.Send(answer);
            }
        }
        catch (Exception broken) when (broken is IOException or ObjectDisposedException)
        {
            // gdb is gone without a word; the guest goes on as if it had detached.
        }
        finally
        {
            if (!_detached)
                _target.Detach();
        }
    }

    /// <inheritdoc/>
    public void Stopped(in GuestStop stop)
    {
        lock (_lock)
        {
            _stop = stop;
            if (!_waitsForStop)
                return;
            _waitsForStop = false;
        }

        try
        {
            // Output may only be sent before the stop is.
            if (stop.Cause == StopCause.Death)
                _wire.Send("O" + GdbPacket.Hex($"lguest: the guest dies: {VisibleText.Of(stop.Reason ?? string.Empty)}\n"));
            _wire.Send(StopReply(stop));
        }
        catch (Exception)
        {
            // The reading thread finds out by itself, and lets the guest go. Nothing of gdb's may end the guest's owner, who is here.
        }
    }

    /// <summary>The guest is over: tells a gdb that waits for it to stop.</summary>
    /// <param name="status">The launcher's exit status.</param>
    public void Exited(int status)
    {
        lock (_lock)
        {
            if (!_waitsForStop)
                return;
            _waitsForStop = false;
        }

        try
        {
            _wire.Send("W" + (status & 0xFF).ToString("x2", CultureInfo.InvariantCulture));
        }
        catch (Exception)
        {
            // Nobody has to hear this.
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _socket.Dispose();

    private static uint LengthLimit(uint length) => Math.Min(length, (PacketSize / 2) - 16);

    private void Interrupt()
    {
        _interrupted = true;
        try
        {
            _target.Do(running =>
            {
                if (!running.Guest.IsPaused)
                    running.Guest.Pause();
            });
        }
        catch (GuestGoneException)
        {
        }
    }

    /// <summary>The answer to a packet; null when there is none now.</summary>
    private string? Answer(string packet)
    {
        try
        {
            return packet.Length == 0 ? string.Empty : packet[0] switch
            {
                '?' => StopReply(_stop),
                'g' => _target.Ask(r => AllRegisters(r.Guest)),
                'G' => WriteAllRegisters(packet[1..]),
                'p' => ReadRegister(packet[1..]),
                'P' => WriteRegister(packet[1..]),
                'm' => ReadMemory(packet[1..]),
                'M' => WriteMemory(packet[1..], binary: false),
                'X' => WriteMemory(packet[1..], binary: true),
                'c' or 'C' => Resume(packet, step: false),
                's' or 'S' => Resume(packet, step: true),
                'Z' => SetPoint(packet[1..], on: true),
                'z' => SetPoint(packet[1..], on: false),
                'k' => Kill(),
                'D' => Detach(),
                'H' or 'T' => Ok,
                'q' => Query(packet),
                'Q' => Set(packet),
                'v' => Verb(packet),
                _ => string.Empty,
            };
        }
        catch (GuestGoneException)
        {
            return Gone;
        }
    }

    private string StopReply(in GuestStop stop)
    {
        int signal = stop.Cause switch
        {
            StopCause.Pause when _interrupted => SignalInterrupt,
            StopCause.Death => stop.Reason?.StartsWith("CRASH", StringComparison.Ordinal) == true ? SignalAbort : SignalSegmentation,
            _ => SignalTrap,
        };
        _interrupted = false;
        StringBuilder reply = new($"T{signal:x2}");
        switch (stop.Cause)
        {
            case StopCause.Watchpoint:
                reply.Append(stop.Watch == WatchKind.Write ? "watch" : "rwatch").Append($":{stop.Address:x};");
                break;
            case StopCause.Breakpoint when _saysWhichBreak:
                reply.Append("swbreak:;");
                break;
        }

        return reply.Append("thread:1;").ToString();
    }

    private static string AllRegisters(IDebugPort guest)
    {
        StringBuilder text = new();
        for (int i = 0; i < GdbRegisters.Count; i++)
            text.Append(GdbPacket.Hex(GdbRegisters.Read(guest, i)));
        return text.ToString();
    }

    private string WriteAllRegisters(string hex)
    {
        if (GdbPacket.Bytes(hex) is not { } bytes)
            return BadRequest;
        _target.Do(running =>
        {
            int at = 0;
            for (int i = 0; i < GdbRegisters.Count && at + GdbRegisters.SizeOf(i) <= bytes.Length; at += GdbRegisters.SizeOf(i++))
                GdbRegisters.Write(running.Guest, i, bytes.AsSpan(at, GdbRegisters.SizeOf(i)));
        });
        return Ok;
    }

    private string ReadRegister(string text)
    {
        if (!GdbPacket.TryNumber(text, out uint number) || number >= GdbRegisters.Count)
            return BadRequest;
        return _target.Ask(r => GdbPacket.Hex(GdbRegisters.Read(r.Guest, (int)number)));
    }

    private string WriteRegister(string text)
    {
        int equals = text.IndexOf('=', StringComparison.Ordinal);
        if (equals < 0 || !GdbPacket.TryNumber(text[..equals], out uint number) || number >= GdbRegisters.Count || GdbPacket.Bytes(text[(equals + 1)..]) is not { } bytes)
            return BadRequest;
        return _target.Ask(r => GdbRegisters.Write(r.Guest, (int)number, bytes)) ? Ok : BadRequest;
    }

    private string ReadMemory(string text)
    {
        if (!GdbPacket.TryRange(text, out uint address, out uint length))
            return BadRequest;
        byte[] bytes = new byte[LengthLimit(length)];
        int count = _target.Ask(r => r.Guest.ReadLinear(address, bytes));
        return count == 0 && length != 0 ? NotMapped : GdbPacket.Hex(bytes.AsSpan(0, count));
    }

    private string WriteMemory(string text, bool binary)
    {
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        if (colon < 0 || !GdbPacket.TryRange(text[..colon], out uint address, out uint length))
            return BadRequest;
        byte[]? bytes = binary ? Encoding.Latin1.GetBytes(text[(colon + 1)..]) : GdbPacket.Bytes(text[(colon + 1)..]);
        if (bytes is null || bytes.Length != length)
            return BadRequest;
        return _target.Ask(r => r.Guest.WriteLinear(address, bytes)) ? Ok : NotMapped;
    }

    private string? Resume(string packet, bool step)
    {
        // An address to go on at may follow; a signal, for which a guest has no use, stands before it.
        int at = packet[0] is 'C' or 'S' ? packet.IndexOf(';', StringComparison.Ordinal) + 1 : 1;
        bool moved = at > 0 && GdbPacket.TryNumber(packet[at..], out uint address) && MoveTo(address);
        if (packet.Length > at && at > 0 && !moved)
            return BadRequest;
        lock (_lock)
            _waitsForStop = true;
        _target.Do(running =>
        {
            if (step)
                running.Guest.ResumeForOneStep();
            else
                running.Guest.Resume();
        });
        return null;
    }

    private bool MoveTo(uint address) => _target.Ask(running =>
    {
        running.Guest.Registers.Eip = address;
        return true;
    });

    private string SetPoint(string text, bool on)
    {
        string[] words = text.Split(',', ';');
        if (words.Length < 3 || !GdbPacket.TryNumber(words[1], out uint address) || !GdbPacket.TryNumber(words[2], out uint length))
            return BadRequest;
        switch (words[0])
        {
            case "0" or "1":
                _target.SetBreakpoint(address, on);
                return Ok;
            case "2" or "3" or "4" when length != 0 && address + (ulong)length <= 1UL << 32:
                WatchKind kind = words[0] switch { "2" => WatchKind.Write, "3" => WatchKind.Read, _ => WatchKind.Read | WatchKind.Write };
                _target.SetWatchpoint(new Watchpoint(address, length, kind), on);
                return Ok;
            default:
                return string.Empty;
        }
    }

    private string? Kill()
    {
        _target.Do(running =>
        {
            running.Guest.Debugger = null;
            running.Guest.Kill("killed by gdb");
            running.Guest.Resume();
        });
        _over = true;
        return null;
    }

    private string Detach()
    {
        _target.Detach();
        _detached = true;
        _over = true;
        return Ok;
    }
}
