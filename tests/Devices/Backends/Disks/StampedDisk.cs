// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using Lguest.Devices;
using Lguest.Devices.Backends.Disks;

namespace Lguest.Tests.Devices.Backends.Disks;

/// <summary>A disk each of whose sectors has one number all over it, and what may be found there.</summary>
internal sealed class StampedDisk
{
    public const int Sector = 512;

    private readonly uint[] _now;
    private readonly HashSet<uint>?[] _before;
    private uint _next = 0x8000_0000;

    /// <summary>A disk whose sectors have their own numbers.</summary>
    public StampedDisk(int sectors)
    {
        _now = new uint[sectors];
        _before = new HashSet<uint>?[sectors];
        for (uint i = 0; i < sectors; i++)
            _now[i] = i + 1;
    }

    public int Sectors => _now.Length;

    /// <summary>An image with that content.</summary>
    public byte[] Image()
    {
        byte[] image = new byte[_now.Length * Sector];
        for (int i = 0; i < _now.Length; i++)
            Fill(image.AsSpan(i * Sector, Sector), _now[i]);
        return image;
    }

    /// <summary>Writes new numbers.</summary>
    public void Write(IDiskStore store, int first, int count)
    {
        byte[] bytes = Foresee(first, count);
        GuestVector vector = new();
        vector.LoadHost(bytes, bytes.Length);
        int written = store.Write(vector, (long)first * Sector, out HostErrno error);
        Assert.Equal((0, bytes.Length), ((int)error, written));
    }

    /// <summary>Everything written is certain now.</summary>
    public void Settle() => Array.Clear(_before);

    /// <summary>A random write.</summary>
    public void WriteSomething(IDiskStore store, Random random)
    {
        (int first, int count) = Something(random);
        Write(store, first, count);
    }

    /// <summary>The same write, by somebody else.</summary>
    public void ForeseeSomething(Random random)
    {
        (int first, int count) = Something(random);
        _ = Foresee(first, count);
    }

    /// <summary>Reads all, and fails if a sector is none of what it may be. From then on it is what was found.</summary>
    public void Check(IDiskStore store)
    {
        CheckForNow(store);
        Settle();
    }

    /// <summary>The same, but what may be found does not become less: nothing is certain before it is flushed.</summary>
    public void CheckForNow(IDiskStore store)
    {
        byte[] bytes = GC.AllocateUninitializedArray<byte>(Sectors * Sector, pinned: true);
        GuestVector vector = new();
        vector.LoadHost(bytes, bytes.Length);
        Assert.Equal((bytes.Length, 0), (store.Read(vector, 0, out HostErrno error), (int)error));
        for (int i = 0; i < Sectors; i++)
        {
            ReadOnlySpan<uint> sector = MemoryMarshal.Cast<byte, uint>(bytes.AsSpan(i * Sector, Sector));
            Assert.False(sector.ContainsAnyExcept(sector[0]), $"sector {i} is half 0x{sector[0]:x} and half something else");
            if (sector[0] == _now[i])
                continue;
            Assert.True(_before[i]?.Contains(sector[0]), $"sector {i} has 0x{sector[0]:x}, not 0x{_now[i]:x}");
            _before[i]!.Add(_now[i]);
            _now[i] = sector[0];
        }
    }

    private (int First, int Count) Something(Random random)
    {
        int first = random.Next(Sectors);

        // Often less than a cluster, sometimes several.
        int most = random.Next(4) == 0 ? 3 * ClusterMap.Size / Sector : 20;
        return (first, 1 + random.Next(Math.Min(most, Sectors - first)));
    }

    private byte[] Foresee(int first, int count)
    {
        byte[] bytes = GC.AllocateUninitializedArray<byte>(count * Sector, pinned: true);
        for (int i = 0; i < count; i++)
        {
            // Unless the write is over, either may be found.
            (_before[first + i] ??= []).Add(_now[first + i]);
            _now[first + i] = _next++;
            Fill(bytes.AsSpan(i * Sector, Sector), _now[first + i]);
        }

        return bytes;
    }

    private static void Fill(Span<byte> sector, uint stamp) => MemoryMarshal.Cast<byte, uint>(sector).Fill(stamp);
}
