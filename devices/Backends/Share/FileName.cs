// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Devices.Backends.Share;

/// <summary>
/// One name in a folder: bytes, whatever they mean to whoever reads them, without a slash. Neither <c>.</c> nor <c>..</c> is one.
/// </summary>
public sealed class FileName : IEquatable<FileName>
{
    /// <summary>Bytes at most (NAME_MAX).</summary>
    public const int Longest = 255;

    private readonly byte[] _bytes;

    private FileName(byte[] bytes) => _bytes = bytes;

    /// <summary>The bytes, and a zero after them.</summary>
    public ReadOnlySpan<byte> Terminated => _bytes;

    /// <summary>Takes a name that somebody gives.</summary>
    /// <param name="bytes">Without a zero after it.</param>
    /// <param name="name">The name; null when it is none.</param>
    /// <returns>0, or why it is none.</returns>
    public static HostErrno Parse(ReadOnlySpan<byte> bytes, out FileName? name)
    {
        name = null;
        if (bytes.Length > Longest)
            return HostErrno.ENAMETOOLONG;
        if (bytes.IsEmpty)
            return HostErrno.ENOENT;
        if (bytes.ContainsAny((byte)0, (byte)'/') || bytes.SequenceEqual("."u8) || bytes.SequenceEqual(".."u8))
            return HostErrno.EINVAL;
        byte[] terminated = new byte[bytes.Length + 1];
        bytes.CopyTo(terminated);
        name = new FileName(terminated);
        return 0;
    }

    /// <inheritdoc/>
    public bool Equals(FileName? other) => other != null && _bytes.AsSpan().SequenceEqual(other._bytes);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as FileName);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        HashCode hash = default;
        hash.AddBytes(_bytes);
        return hash.ToHashCode();
    }
}
