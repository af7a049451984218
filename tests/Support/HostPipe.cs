// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using System.Text;
using Mono.Unix.Native;

namespace Lguest.Tests.Support;

/// <summary>A pipe of the host.</summary>
public sealed unsafe partial class HostPipe : IDisposable
{
    /// <summary>Makes one.</summary>
    public HostPipe()
    {
        // Not for the launchers that other tests start meanwhile: a pipe's end comes when the last copy is closed.
        const int CloseOnExec = 0x80000;
        int* ends = stackalloc int[2];
        if (pipe2(ends, CloseOnExec) != 0)
            throw new InvalidOperationException("pipe2");
        ReadEnd = ends[0];
        WriteEnd = ends[1];
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

    [LibraryImport("libc")]
    private static partial int pipe2(int* ends, int flags);
}
