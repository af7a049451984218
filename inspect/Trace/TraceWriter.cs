// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Text;
using System.Text;
using Lguest.Devices;
using Lguest.Inspect.Symbols;
using static Tmds.Linux.LibC;

namespace Lguest.Inspect.Trace;

/// <summary>
/// Lines of a trace, as text or JSON, put together in a buffer without making garbage: a boot has hundreds of thousands. A
/// trace that cannot be written stops itself and says so; it never stops the guest.
/// </summary>
public sealed class TraceWriter : IDisposable
{
    private const int BufferSize = 1 << 17;
    private const int LongestLine = 2048;
    private const int StandardError = 2;
    private const int RememberedSymbols = 1 << 16;
    private const int LongestSymbol = 256;

    private readonly byte[] _buffer = new byte[BufferSize];
    private readonly Dictionary<uint, byte[]> _places = [];
    private readonly SymbolTable _symbols;
    private readonly bool _json;
    private readonly OutputFile? _file;
    private readonly string _name;
    private readonly Action<string> _say;
    private int _length;
    private int _lineStart;
    private bool _failed;

    /// <summary>Opens a trace.</summary>
    /// <param name="json">One JSON object a line, not text.</param>
    /// <param name="file">Where to; null: standard error. Closed by <see cref="Dispose"/>.</param>
    /// <param name="symbols">Names for addresses.</param>
    /// <param name="say">Hears when it fails.</param>
    public TraceWriter(bool json, OutputFile? file, SymbolTable symbols, Action<string> say)
    {
        _symbols = symbols;
        _json = json;
        _say = say;
        _file = file;
        _name = file?.Path ?? "standard error";
    }

    /// <summary>Bytes written and waiting to be.</summary>
    public long Length { get; private set; }

    /// <summary>Starts a line.</summary>
    /// <param name="nanoseconds">Since the guest started.</param>
    /// <param name="category">Of the event.</param>
    /// <param name="name">Of the event.</param>
    public void Begin(long nanoseconds, string category, string name)
    {
        if (_length > BufferSize - LongestLine)
            Flush();
        _lineStart = _length;
        long seconds = nanoseconds / 1_000_000_000;
        long fraction = nanoseconds % 1_000_000_000 / 1000;
        if (_json)
        {
            Raw("{\"t\":"u8);
            Number(seconds);
            Raw("."u8);
            Number(fraction, 'D', 6);
            Raw(",\"category\":\""u8);
            Ascii(category);
            Raw("\",\"event\":\""u8);
            Ascii(name);
            Raw("\""u8);
            return;
        }

        for (long power = 10_000; power > Math.Max(seconds, 1); power /= 10)
            Raw(" "u8);
        Number(seconds);
        Raw("."u8);
        Number(fraction, 'D', 6);
        Raw(" "u8);
        Ascii(category);
        Raw(" "u8);
        Ascii(name);
    }

    /// <summary>A field in hexadecimal.</summary>
    public void Hex(string name, uint value)
    {
        Name(name);
        Raw(_json ? "\"0x"u8 : "0x"u8);
        Number(value, 'x', 0);
        if (_json)
            Raw("\""u8);
    }

    /// <summary>A field in decimal.</summary>
    public void Decimal(string name, long value)
    {
        Name(name);
        Number(value);
    }

    /// <summary>A field of text, cut when it is long.</summary>
    public void Text(string name, ReadOnlySpan<char> text)
    {
        Name(name);
        Raw("\""u8);
        foreach (char c in text[..Math.Min(text.Length, 200)])
        {
            if (c is '"' or '\\')
            {
                Raw("\\"u8);
                _buffer[_length++] = (byte)c;
            }
            else if (c is >= ' ' and < '\u007f')
            {
                _buffer[_length++] = (byte)c;
            }
            else if (c is '\n' or '\r' or '\t')
            {
                Raw(c switch { '\n' => "\\n"u8, '\r' => "\\r"u8, _ => "\\t"u8 });
            }
            else
            {
                Raw("\\u"u8);
                Number(c, 'x', 4);
            }
        }

        Raw("\""u8);
    }

    /// <summary>The place in the guest's code, with its symbol.</summary>
    public void Place(uint eip)
    {
        if (_json)
        {
            Hex("eip", eip);
            byte[] symbol = Symbol(eip);
            if (symbol.Length > 0)
            {
                Name("symbol");
                Raw("\""u8);
                Raw(symbol);
                Raw("\""u8);
            }

            return;
        }

        Raw(" at "u8);
        Number(eip, 'x', 8);
        byte[] name = Symbol(eip);
        if (name.Length > 0)
        {
            Raw(" <"u8);
            Raw(name);
            Raw(">"u8);
        }
    }

    /// <summary>Ends the line.</summary>
    public void End()
    {
        Raw(_json ? "}\n"u8 : "\n"u8);
        Length += _length - _lineStart;
    }

    /// <summary>Writes out what is there.</summary>
    public void Flush()
    {
        ReadOnlySpan<byte> bytes = _buffer.AsSpan(0, _length);
        _length = 0;
        if (_failed || bytes.IsEmpty)
            return;
        HostErrno error = _file?.Write(bytes) ?? WriteStandardError(bytes);
        if (error == 0)
            return;
        _failed = true;
        _say($"the trace cannot be written to {_name} any more, and ends here: {HostMessage.Of(error)}");
    }

    /// <summary>Writes out the rest, and closes.</summary>
    public void Dispose()
    {
        Flush();
        _file?.Dispose();
    }

    private static unsafe HostErrno WriteStandardError(ReadOnlySpan<byte> bytes)
    {
        fixed (byte* start = bytes)
        {
            for (int done = 0; done < bytes.Length;)
            {
                long count = write(StandardError, start + done, bytes.Length - done);
                HostErrno error = count < 0 ? (HostErrno)errno : 0;
                if (error is HostErrno.EINTR or HostErrno.EAGAIN)
                    continue;
                if (count <= 0)
                    return error == 0 ? HostErrno.EIO : error;
                done += (int)count;
            }
        }

        return 0;
    }

    private byte[] Symbol(uint eip)
    {
        if (_places.TryGetValue(eip, out byte[]? known))
            return known;
        if (_places.Count == RememberedSymbols)
            _places.Clear();
        string text = _symbols.Describe(eip) ?? string.Empty;
        if (text.Length > LongestSymbol)
            text = text[..LongestSymbol];
        if (_json)
            text = text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal);
        byte[] name = Encoding.ASCII.GetBytes(text);
        _places.Add(eip, name);
        return name;
    }

    private void Name(string name)
    {
        Raw(_json ? ",\""u8 : " "u8);
        Ascii(name);
        Raw(_json ? "\":"u8 : "="u8);
    }

    private void Number(long value, char format = 'D', byte digits = 0)
    {
        Utf8Formatter.TryFormat(value, _buffer.AsSpan(_length), out int written, digits == 0 ? new System.Buffers.StandardFormat(format) : new System.Buffers.StandardFormat(format, digits));
        _length += written;
    }

    private void Ascii(string text)
    {
        foreach (char c in text)
            _buffer[_length++] = (byte)c;
    }

    private void Raw(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_buffer.AsSpan(_length));
        _length += bytes.Length;
    }
}
