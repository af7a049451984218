// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace Lguest.Tests.Fuzz;

/// <summary>A file with the case that runs now: what is left when the process that runs it dies.</summary>
internal sealed class FuzzJournal(string path) : IDisposable
{
    private readonly SafeFileHandle _file = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite);
    private byte[] _buffer = [];

    /// <summary>This case is about to run.</summary>
    public void Write(byte[] bytes)
    {
        if (_buffer.Length < sizeof(int) + bytes.Length)
            _buffer = new byte[sizeof(int) + bytes.Length];
        BinaryPrimitives.WriteInt32LittleEndian(_buffer, bytes.Length);
        bytes.CopyTo(_buffer, sizeof(int));
        RandomAccess.Write(_file, _buffer.AsSpan(0, sizeof(int) + bytes.Length), 0);
    }

    /// <summary>The case that ran last; null when none has.</summary>
    public static byte[]? Read(string path)
    {
        byte[] all = File.Exists(path) ? File.ReadAllBytes(path) : [];
        return all.Length < sizeof(int) ? null : all.AsSpan(sizeof(int), BinaryPrimitives.ReadInt32LittleEndian(all)).ToArray();
    }

    public void Dispose() => _file.Dispose();
}
