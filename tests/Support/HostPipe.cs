// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using Mono.Unix.Native;

namespace Lguest.Tests.Support;

/// <summary>A pipe of the host.</summary>
public sealed unsafe class HostPipe : IDisposable
{
    /// <summary>Makes one.</summary>
    public HostPipe()
    {
        if (Syscall.pipe(out int read, out int write) != 0)
            throw new InvalidOperationException("pipe");
        ReadEnd = read;
        WriteEnd = write;
    }

    /// <summary>Descriptor to read from; −1 when closed.</summary>
    public int ReadEnd { get; private set; }

    /// <summary>Descriptor to write to; −1 when closed.</summary>
    public int WriteEnd { get; private set; }

    /// <summary>Writes text.</summary>
    public void Write(string text)
    {
        byte[] bytes = Encoding.Latin1.GetBytes(text);
        fixed (byte* start = bytes)
        {
            if (Syscall.write(WriteEnd, start, (ulong)bytes.Length) != bytes.Length)
                throw new InvalidOperationException("short write to a pipe");
        }
    }

    /// <summary>Reads what is there; waits for at least one byte.</summary>
    public string Read()
    {
        byte[] bytes = new byte[65536];
        fixed (byte* start = bytes)
            return Encoding.Latin1.GetString(bytes, 0, (int)Syscall.read(ReadEnd, start, (ulong)bytes.Length));
    }

    /// <summary>Closes one end.</summary>
    public void CloseRead()
    {
        if (ReadEnd >= 0)
            _ = Syscall.close(ReadEnd);
        ReadEnd = -1;
    }

    /// <summary>Closes the other end.</summary>
    public void CloseWrite()
    {
        if (WriteEnd >= 0)
            _ = Syscall.close(WriteEnd);
        WriteEnd = -1;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        CloseRead();
        CloseWrite();
    }
}
