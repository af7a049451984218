// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using Lguest.Devices;
using Lguest.Devices.Backends.Disks;

namespace Lguest.Tests.Devices.Backends.Disks;

/// <summary>Overlays with wrong bytes in their tables: refused by a sentence, or used; never an exception of another kind.</summary>
public sealed class OverlayDamageTests
{
    private const int Sectors = (20 * 128) + 7;

    private static readonly byte[] s_boot = Guid.NewGuid().ToByteArray();

    /// <summary>How many damages; <c>LGUEST_TEST_DAMAGES</c> for a campaign.</summary>
    private static readonly int s_damages = int.TryParse(Environment.GetEnvironmentVariable("LGUEST_TEST_DAMAGES"), CultureInfo.InvariantCulture, out int damages) ? damages : 400;

    [Fact]
    public void DamageIsRefusedOrHarmless()
    {
        byte[] image = new StampedDisk(Sectors).Image();
        byte[][] goods = [Overlay(image, isClosed: true), Overlay(image, isClosed: false)];
        Random random = new(11);
        int refused = 0;
        for (int i = 0; i < s_damages; i++)
        {
            byte[] bytes = [.. goods[i % goods.Length]];
            for (int damages = 1 + random.Next(3); damages > 0; damages--)
                Damage(ref bytes, random);
            using UnreliableFile below = new(new Random(1));
            below.WriteAt(image, 0);
            using UnreliableFile above = new(new Random(1));
            above.WriteAt(bytes, 0);
            try
            {
                Use(Qcow2Overlay.Open(below, "base", new BaseIdentity(image.Length, 1, 2), above, "overlay", s_boot, out _), random);
            }
            catch (DeviceException refusal)
            {
                Assert.StartsWith("overlay 'overlay' ", refusal.Message.Replace("disk image 'base' is not what overlay 'overlay' ", "overlay 'overlay' ", StringComparison.Ordinal), StringComparison.Ordinal);
                Assert.DoesNotContain('\n', refusal.Message);
                refused++;
            }
        }

        // Most of what was changed is data, or room that is not used.
        Assert.InRange(refused, s_damages / 10, s_damages - (s_damages / 20));
    }

    /// <summary>An overlay with records in it, or closed as it should be.</summary>
    private static byte[] Overlay(byte[] image, bool isClosed)
    {
        using UnreliableFile below = new(new Random(1));
        below.WriteAt(image, 0);
        using UnreliableFile above = new(new Random(1));
        OverlayStore store = Qcow2Overlay.Open(below, "base", new BaseIdentity(image.Length, 1, 2), above, "overlay", s_boot, out _);
        StampedDisk disk = new(Sectors);
        disk.Write(store, 5, 300);
        Assert.Equal(0, (int)store.Sync());
        disk.Write(store, 1000, 200);
        if (isClosed)
        {
            Assert.Equal(0, (int)store.Sync());
            store.Dispose();
        }

        return above.Content.ToArray();
    }

    private static void Damage(ref byte[] bytes, Random random)
    {
        // The beginnings of clusters are where the tables are.
        int at = (random.Next(bytes.Length / ClusterMap.Size) * ClusterMap.Size) + random.Next(random.Next(2) == 0 ? 120 : 1200);
        switch (random.Next(5))
        {
            case 0:
                bytes[at] ^= (byte)(1 << random.Next(8));
                break;
            case 1:
                bytes[at] = (byte)random.Next(256);
                break;
            case 2:
                Array.Resize(ref bytes, random.Next(4) == 0 ? random.Next(bytes.Length) : bytes.Length - random.Next(100));
                break;
            case 3:
                random.NextBytes(bytes.AsSpan(at, Math.Min(8, bytes.Length - at)));
                break;
            default:
                // An entry of one table in another place.
                int from = random.Next(bytes.Length / 8) * 8;
                bytes.AsSpan(from, 8).CopyTo(bytes.AsSpan(at & ~7));
                break;
        }
    }

    private static void Use(OverlayStore store, Random random)
    {
        StampedDisk disk = new(Sectors);
        byte[] bytes = GC.AllocateUninitializedArray<byte>(Sectors * StampedDisk.Sector, pinned: true);
        GuestVector vector = new();
        vector.LoadHost(bytes, bytes.Length);
        int read = store.Read(vector, 0, out HostErrno error);
        Assert.Equal((bytes.Length, 0), (read, (int)error));
        for (int i = 0; i < 5; i++)
            disk.WriteSomething(store, random);
        Assert.Equal(0, (int)store.Sync());
        store.Dispose();
    }
}
