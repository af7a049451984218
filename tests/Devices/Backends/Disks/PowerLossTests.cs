// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using Lguest.Devices;
using Lguest.Devices.Backends.Disks;
using Lguest.Tests.Support;

namespace Lguest.Tests.Devices.Backends.Disks;

/// <summary>An overlay whose process is killed, or whose host loses power, after any write: docs/overlay.md, tried.</summary>
public sealed class PowerLossTests
{
    /// <summary>Nine clusters and a piece of one: in one table, so that its entries are often changed.</summary>
    private const int SmallDisk = (9 * 128) + 37;

    /// <summary>How often it ends; <c>LGUEST_TEST_LIVES</c> for a campaign.</summary>
    private static readonly int s_lives = int.TryParse(Environment.GetEnvironmentVariable("LGUEST_TEST_LIVES"), CultureInfo.InvariantCulture, out int lives) ? lives : 60;

    private static readonly byte[] s_boot = Guid.NewGuid().ToByteArray();

    /// <summary>What was flushed is there; what was not is old or new, sector by sector; and nothing else is ever seen.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void ALossOfPowerTakesNothingThatWasFlushed(int seed) => Live(seed, losesPower: true);

    /// <summary>What was answered is there, flushed or not.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void AKillTakesNothingThatWasAnswered(int seed) => Live(seed, losesPower: false);

    /// <summary>Both, in turn: then only what was flushed is certain.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void BothInTurn(int seed) => Live(seed, losesPower: null);

    /// <summary>A kill, and then a loss of power before anything was flushed.</summary>
    [Fact]
    public void RecordsOfAnotherBootCountForNothing()
    {
        StampedDisk disk = new(SmallDisk);
        using UnreliableFile below = Below(disk);
        UnreliableFile above = new(new Random(1));
        OverlayStore store = Open(below, above, s_boot);
        disk.Write(store, 5, 3);
        above = above.Reopen();
        disk.Check(Open(below, above, s_boot));

        StampedDisk old = new(SmallDisk);
        old.Check(Open(below, above.Reopen(), Guid.NewGuid().ToByteArray()));
    }

    /// <summary>After a sync that failed nobody knows what is on the medium: none of the later ones may say that all is well.</summary>
    [Fact]
    public void AFailedSyncIsNotForgotten()
    {
        StampedDisk disk = new(SmallDisk);
        using UnreliableFile below = Below(disk);
        using UnreliableFile above = new(new Random(1));
        OverlayStore store = Open(below, above, s_boot);
        disk.Write(store, 5, 3);
        above.SyncError = HostErrno.EIO;
        Assert.Equal(HostErrno.EIO, store.Sync());
        above.SyncError = 0;
        Assert.Equal(HostErrno.EIO, store.Sync());
    }

    /// <summary>A new overlay is there with all its tables, or it is blank.</summary>
    [Fact]
    public void AnInterruptedBeginningIsBegunAgain()
    {
        Random random = new(7);
        StampedDisk disk = new(SmallDisk);
        using UnreliableFile below = Below(disk);
        for (int i = 0; i < 100; i++)
        {
            UnreliableFile above = new(random) { CallsToLive = i % 7 };
            try
            {
                _ = Open(below, above, s_boot);
            }
            catch (KilledException)
            {
            }

            disk.Check(Open(below, i % 2 == 0 ? above.Reopen() : above.LosePower(), s_boot));
        }
    }

    /// <summary>Wherever a flush is interrupted, the next write gives back what nothing refers to; QEMU's tool is the judge.</summary>
    [FactNeeding(Need.QemuImg)]
    public void NothingLeaks()
    {
        using TemporaryDirectory directory = new();
        Random random = new(5);
        for (int calls = 0; calls < 100; calls++)
        {
            StampedDisk disk = new(SmallDisk);
            using UnreliableFile below = Below(disk);
            UnreliableFile above = new(random);
            try
            {
                OverlayStore store = Open(below, above, s_boot);
                disk.Write(store, 5, 10);
                Assert.Equal(0, (int)store.Sync());
                above.CallsToLive = calls / 4;
                disk.Write(store, 300, 700);
                _ = store.Sync();
                store.Dispose();
            }
            catch (KilledException)
            {
            }

            above = above.LosePower();
            OverlayStore next = Open(below, above, Guid.NewGuid().ToByteArray());
            disk.CheckForNow(next);
            disk.Write(next, 1100, 1);
            Assert.Equal(0, (int)next.Sync());
            next.Dispose();
            _ = directory.File("base", disk.Image());
            string file = directory.File("overlay", above.Content.ToArray());
            ProcessResult check = Command.Run("qemu-img", ["check", file], directory.Path);
            Assert.True(check.Status == 0, $"after {calls / 4} calls: {check.Output}{check.Error}");
        }
    }

    /// <summary>A write to a cluster that is there already costs one sync, the first one two; nothing is synced between flushes.</summary>
    [Fact]
    public void AFlushSyncsAsOftenAsItMust()
    {
        StampedDisk disk = new(SmallDisk);
        using UnreliableFile below = Below(disk);
        using UnreliableFile above = new(new Random(1));
        OverlayStore store = Open(below, above, s_boot);
        int start = above.Syncs;
        disk.Write(store, 5, 300);
        Assert.Equal(start, above.Syncs);
        Assert.Equal(0, (int)store.Sync());
        Assert.Equal(start + 2, above.Syncs);
        disk.Write(store, 100, 100);
        Assert.Equal(0, (int)store.Sync());
        Assert.Equal(start + 3, above.Syncs);
    }

    private static void Live(int seed, bool? losesPower)
    {
        Random random = new(seed);
        StampedDisk disk = new(SmallDisk);
        UnreliableFile below = Below(disk);
        UnreliableFile above = new(random);
        byte[] boot = s_boot;
        bool isCertain = true;
        for (int life = 0; life < s_lives; life++)
        {
            above.CallsToLive = random.Next(60);
            try
            {
                OverlayStore store = Open(below, above, boot);
                disk.CheckForNow(store);
                if (isCertain)
                    disk.Settle();
                while (true)
                {
                    disk.WriteSomething(store, random);
                    if (losesPower == false)
                        disk.Settle();
                    if (random.Next(4) == 0)
                    {
                        Assert.Equal(0, (int)store.Sync());
                        disk.Settle();
                    }
                }
            }
            catch (KilledException)
            {
                bool fails = losesPower ?? random.Next(2) == 0;
                above = fails ? above.LosePower() : above.Reopen();
                isCertain = fails || losesPower == false;
                boot = fails ? Guid.NewGuid().ToByteArray() : boot;
            }

            // Now and then begun anew: else all clusters are there soon, and their tables do not change.
            if (life % 8 == 7)
            {
                disk = new StampedDisk(SmallDisk);
                above = new UnreliableFile(random);
                isCertain = true;
            }
        }
    }

    private static UnreliableFile Below(StampedDisk disk)
    {
        UnreliableFile below = new(new Random(1));
        below.WriteAt(disk.Image(), 0);
        return below;
    }

    private static OverlayStore Open(UnreliableFile below, UnreliableFile above, byte[] boot) =>
        Qcow2Overlay.Open(below, "base", new BaseIdentity(below.Content.Length, 1, 2), above, "overlay", boot, out _);
}
