// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Native;

namespace Lguest.Devices.Models;

/// <summary>A source of random bytes, as good as the host's own.</summary>
public sealed class EntropyModel : DeviceModel
{
    /// <summary>Bytes that are given at once: as many as a kernel asks for, and few enough to take no time.</summary>
    public const int MostAtOnce = 4096;

    private readonly byte[] _bytes = new byte[MostAtOnce];

    /// <inheritdoc/>
    public override string Description => "entropy";

    /// <summary>Fills a buffer of the guest's, or the first <see cref="MostAtOnce"/> bytes of it.</summary>
    /// <returns>Bytes given.</returns>
    public int Fill(GuestVector target)
    {
        Span<byte> bytes = _bytes.AsSpan(0, Math.Min(target.Length, MostAtOnce));
        KernelRandom.Fill(bytes);
        int given = target.CopyFrom(bytes);

        // What one guest got is nobody else's to see.
        bytes.Clear();
        Observer?.Delivered(this, (uint)given);
        return given;
    }
}
