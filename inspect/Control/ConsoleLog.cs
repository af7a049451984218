// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Inspect.Control;

/// <summary>
/// The last 64 KiB that a guest has said. Written by the guest's owner, which never waits for a reader: one that does not keep
/// up loses the middle, and is told.
/// </summary>
public sealed class ConsoleLog
{
    /// <summary>Bytes kept.</summary>
    public const int Capacity = 64 * 1024;

    private readonly byte[] _bytes = new byte[Capacity];
    private long _total;
    private bool _closed;

    /// <summary>Bytes that the guest has said so far.</summary>
    public long Total
    {
        get
        {
            lock (_bytes)
                return _total;
        }
    }

    /// <summary>Takes note of what the guest said.</summary>
    public void Append(ReadOnlySpan<byte> text)
    {
        lock (_bytes)
        {
            // Only the end of a long text can stay.
            if (text.Length > Capacity)
            {
                _total += text.Length - Capacity;
                text = text[^Capacity..];
            }

            int at = (int)(_total % Capacity);
            int first = Math.Min(text.Length, Capacity - at);
            text[..first].CopyTo(_bytes.AsSpan(at));
            text[first..].CopyTo(_bytes);
            _total += text.Length;
            System.Threading.Monitor.PulseAll(_bytes);
        }
    }

    /// <summary>Nothing more will be said: whoever waits is let go.</summary>
    public void Close()
    {
        lock (_bytes)
        {
            _closed = true;
            System.Threading.Monitor.PulseAll(_bytes);
        }
    }

    /// <summary>Waits until more has been said than a reader has seen.</summary>
    /// <param name="seen">Bytes already seen.</param>
    /// <param name="gone">Whether the reader has gone; asked again after <see cref="Wake"/>.</param>
    /// <returns>False: there is nothing, and nothing will come, or nobody wants it.</returns>
    public bool WaitForMore(long seen, Func<bool> gone)
    {
        lock (_bytes)
        {
            while (_total == seen && !_closed && !gone())
                System.Threading.Monitor.Wait(_bytes);
            return _total != seen && !gone();
        }
    }

    /// <summary>Whoever waits looks whether its reader is still there.</summary>
    public void Wake()
    {
        lock (_bytes)
            System.Threading.Monitor.PulseAll(_bytes);
    }

    /// <summary>What was said from some point on, as far as it is still here.</summary>
    /// <param name="from">In: bytes already seen. Out: the same, with what is returned.</param>
    /// <param name="lost">Bytes between that are not here any more.</param>
    public byte[] Read(ref long from, out long lost)
    {
        lock (_bytes)
        {
            long first = Math.Max(from, Math.Max(0, _total - Capacity));
            lost = first - from;
            byte[] text = new byte[_total - first];
            for (int i = 0; i < text.Length; i++)
                text[i] = _bytes[(first + i) % Capacity];
            from = _total;
            return text;
        }
    }
}
