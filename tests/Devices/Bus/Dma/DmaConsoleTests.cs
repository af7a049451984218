// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using Lguest.Devices;
using Lguest.Devices.Backends;
using Lguest.Devices.Bus.Dma;
using Lguest.Devices.Models;
using Lguest.GuestAbi;
using Lguest.Tests.Support;
using Xunit;

namespace Lguest.Tests.Devices.Bus.Dma;

/// <summary>What is typed reaches the guest, what it says reaches us, and nothing is lost on the way.</summary>
public sealed class DmaConsoleTests : IDisposable
{
    private const uint Key = 0;
    private const uint Buffer = 0x3000;
    private const uint Bytes = 0x8000;
    private const uint Irq = 1;

    private readonly TestGuest _guest = new();
    private readonly HostPipe _input = new();
    private readonly HostPipe _output = new();
    private readonly ManualClock _clock = new();
    private readonly ConsolePort _port;
    private readonly DmaConsole _console;
    private readonly DmaBus _bus;

    /// <summary>A console between two pipes.</summary>
    public DmaConsoleTests()
    {
        _port = new ConsolePort(_input.ReadEnd, _output.WriteEnd, _clock);
        _console = new DmaConsole(new ConsoleModel(_port), Key);
        _bus = new DmaBus(_guest.Memory, TestGuest.Ram);
        _bus.Add(_console);
        _bus.Connect(_guest.Fake);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _guest.Dispose();
        _input.Dispose();
        _output.Dispose();
    }

    /// <summary>Sections come out in order, and used_len counts them.</summary>
    [Fact]
    public void OutputIsWrittenInOrder()
    {
        "world\n"u8.CopyTo(_guest.Memory.Write(Bytes, 6));
        "hello "u8.CopyTo(_guest.Memory.Write(Bytes + 100, 6));
        _guest.WriteDma(0x1000, (Bytes + 100, 6), (Bytes, 6));
        _bus.HandleOutput(_guest.Fake, 0x1000, Key);
        Assert.Equal(12u, _guest.UsedLen(0x1000));
        Assert.Equal("hello world\n", _output.Read());
    }

    /// <summary>When nobody reads any more, the port knows, and does not try again.</summary>
    [Fact]
    public void ABrokenPipeIsNoticed()
    {
        _output.CloseRead();
        _guest.WriteDma(0x1000, (Bytes, 6));
        _bus.HandleOutput(_guest.Fake, 0x1000, Key);
        Assert.Equal(0u, _guest.UsedLen(0x1000));
        Assert.Equal(HostErrno.EPIPE, _port.OutputError);
    }

    /// <summary>Input goes to the bound buffer, with its length and irq.</summary>
    [Fact]
    public void InputGoesToTheBoundBuffer()
    {
        Bind(256);
        Type("ls\n");
        _console.Deliver();
        Assert.Equal("ls\n", Taken());
        Assert.Equal([Irq], _guest.Fake.Irqs);
        Assert.False(_console.HoldsInput);
    }

    /// <summary>Without a buffer, input is kept, more is still read, and it all comes when the guest is ready.</summary>
    [Fact]
    public void InputWaitsForABuffer()
    {
        Type("early ");
        _console.Deliver();
        Assert.True(_console.HoldsInput);
        Assert.True(_console.WantsInput);
        Assert.Empty(_guest.Fake.Irqs);
        Type("bird");
        Bind(256);
        _console.Deliver();
        Assert.Equal("early bird", Taken());
    }

    /// <summary>A buffer that is still full is left alone; a small one takes what it can, and the rest comes next.</summary>
    [Fact]
    public void ABufferIsNeverOverwritten()
    {
        Bind(4);
        Type("abcdefghij");
        _console.Deliver();
        _console.Deliver();
        Assert.Equal("abcd", Taken());
        _console.Deliver();
        Assert.Equal("efgh", Taken());
        _console.Deliver();
        Assert.Equal("ij", Taken());
        Assert.Equal(3, _guest.Fake.Irqs.Count);
    }

    /// <summary>More than the port holds stays in the pipe, and arrives in order all the same.</summary>
    [Fact]
    public void NothingIsLostWhenEverythingIsFull()
    {
        StringBuilder sent = new();
        for (int i = 0; sent.Length < 20000; i++)
            sent.Append(i).Append(' ');
        _input.Write(sent.ToString());
        for (int i = 0; i < 10; i++)
            _console.ReadInput();
        Assert.Equal(ConsolePort.Capacity, _port.Held.Length);
        Assert.False(_console.WantsInput);

        Bind(100);
        StringBuilder received = new();
        while (received.Length < sent.Length)
        {
            if (_console.WantsInput && received.Length + _port.Held.Length < sent.Length)
                _console.ReadInput();
            _console.Deliver();
            received.Append(Taken());
        }

        Assert.Equal(sent.ToString(), received.ToString());
    }

    /// <summary>A bound buffer whose sections are not the guest's takes nothing, loses nothing and kills nobody.</summary>
    [Fact]
    public void AnImpossibleBufferLosesNothing()
    {
        _guest.WriteDma(Buffer, (0xFFFFFF00, 256));
        _guest.Fake.Bind(Key, Buffer, Irq);
        Type("x");
        _console.Deliver();
        Assert.True(_console.HoldsInput);
        Assert.Empty(_guest.Fake.Irqs);
        Assert.Equal(0u, _guest.UsedLen(Buffer));
    }

    /// <summary>The end of the input ends the input, and nothing else: what was held is still delivered.</summary>
    [Fact]
    public void TheEndOfInputStopsInputOnly()
    {
        Type("bye");
        _input.CloseWrite();
        _console.ReadInput();
        Assert.True(_port.InputEnded);
        Assert.False(_console.WantsInput);
        Bind(256);
        _console.Deliver();
        Assert.Equal("bye", Taken());
    }

    /// <summary>Three ^C, each alone, quickly: the user wants out, even if the guest has no buffer. The guest sees them too.</summary>
    [Fact]
    public void ThreeControlCWantOut()
    {
        for (int i = 0; i < 3; i++)
        {
            Assert.False(_port.AbortRequested);
            _clock.Advance(TimeSpan.FromSeconds(0.4));
            Type("\x03");
        }

        Assert.True(_port.AbortRequested);
        Assert.Equal(3, _port.Held.Length);
    }

    /// <summary>Slowly, pasted, or with another key between: no.</summary>
    [Theory]
    [InlineData(1.0, "\x03", "\x03", "\x03")]
    [InlineData(0.1, "\x03\x03\x03")]
    [InlineData(0.1, "\x03", "\x03", "x", "\x03")]
    [InlineData(0.1, "\x03", "\x03x", "\x03", "\x03")]
    [InlineData(0.1, "\x03", "\x03")]
    public void OtherControlCAreForTheGuestAlone(double seconds, params string[] reads)
    {
        foreach (string read in reads)
        {
            _clock.Advance(TimeSpan.FromSeconds(seconds));
            Type(read);
        }

        Assert.False(_port.AbortRequested);
    }

    /// <summary>The last three count, not the first three.</summary>
    [Fact]
    public void ASlowFirstControlCDoesNotSpoilThreeQuickOnes()
    {
        Type("\x03");
        _clock.Advance(TimeSpan.FromSeconds(5));
        for (int i = 0; i < 3; i++)
            Type("\x03");
        Assert.True(_port.AbortRequested);
    }

    private void Bind(ushort length)
    {
        _guest.WriteDma(Buffer, (Bytes, length));
        _guest.Fake.Bind(Key, Buffer, Irq);
    }

    private void Type(string text)
    {
        _input.Write(text);
        _console.ReadInput();
    }

    /// <summary>Does what hvc_lguest.c does: takes the bytes and gives the buffer back.</summary>
    private string Taken()
    {
        uint length = _guest.UsedLen(Buffer);
        string text = Encoding.Latin1.GetString(_guest.Memory.Read(Bytes, length));
        _guest.Memory.WriteUInt32(Buffer, 0);
        return text;
    }
}
