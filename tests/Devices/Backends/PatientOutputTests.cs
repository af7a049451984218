// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using Lguest.Devices;
using Lguest.Devices.Backends;
using Lguest.Devices.Bus.Dma;
using Lguest.Devices.Models;
using Lguest.Tests.Support;
using Xunit;

namespace Lguest.Tests.Devices.Backends;

/// <summary>Output to a pipe that is full: who waits is asked, and may call it off.</summary>
public sealed class PatientOutputTests : IDisposable
{
    private const uint Bytes = 0x4000;
    private const ushort Length = 60_000;

    private readonly TestGuest _guest = new();
    private readonly HostPipe _input = new();
    private readonly HostPipe _output = new();
    private readonly ConsolePort _port;
    private readonly DmaBus _bus;

    /// <summary>A console between two pipes.</summary>
    public PatientOutputTests()
    {
        _port = new ConsolePort(_input.ReadEnd, _output.WriteEnd, TimeProvider.System);
        _bus = new DmaBus(_guest.Memory, TestGuest.Ram);
        _bus.Add(new DmaConsole(new ConsoleModel(_port), key: 0));
        for (uint i = 0; i < Length; i++)
            _guest.Memory.Write(Bytes + i, 1)[0] = (byte)('a' + (i % 23));
        _guest.WriteDma(0x1000, (Bytes, Length));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _port.Dispose();
        _guest.Dispose();
        _input.Dispose();
        _output.Dispose();
    }

    /// <summary>A wait that is called off ends the write, with what was written by then; it is no error, and the next write tries again.</summary>
    [Fact]
    public void AWriteIsCalledOff()
    {
        int asked = 0;
        _port.WaitToWrite = fd =>
        {
            Assert.Equal(_output.WriteEnd, fd);
            Assert.True(_port.IsStalled);
            asked++;
            return false;
        };
        Send();
        Send();
        Assert.Equal(1, asked);
        Assert.InRange(_guest.UsedLen(0x1000), 1u, Length - 1u);
        Assert.False(_port.IsStalled);
        Assert.Equal((HostErrno)0, _port.OutputError);
    }

    /// <summary>What is read makes room, and the bytes are the same, in order, however often the writer had to wait.</summary>
    [Fact]
    public void NothingIsLostOrDoubled()
    {
        StringBuilder read = new();
        _port.WaitToWrite = _ =>
        {
            read.Append(_output.Read());
            return true;
        };
        const int rounds = 5;
        for (int i = 0; i < rounds; i++)
        {
            Send();
            Assert.Equal(Length, _guest.UsedLen(0x1000));
        }

        read.Append(_output.Read());
        string once = Encoding.ASCII.GetString(_guest.Memory.Read(Bytes, Length));
        Assert.Equal(string.Concat(Enumerable.Repeat(once, rounds)), read.ToString());
    }

    private void Send() => _bus.HandleOutput(_guest.Fake, 0x1000, 0);
}
