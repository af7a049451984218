// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using System.Globalization;
using Lguest.Devices.Backends;
using Lguest.Tests.Support;

namespace Lguest.Tests.Devices.Backends.Disks;

/// <summary>kill -9 of a process that writes to an overlay, in real files: what it was answered is there.</summary>
public sealed class OverlayKillTests
{
    private const int Sectors = (100 * 128) + 5;

    /// <summary>How often; <c>LGUEST_TEST_KILLS</c> for a campaign.</summary>
    private static readonly int s_kills = int.TryParse(Environment.GetEnvironmentVariable("LGUEST_TEST_KILLS"), CultureInfo.InvariantCulture, out int kills) ? kills : 4;

    [Fact]
    public void WhatWasAnsweredIsThere()
    {
        using TemporaryDirectory directory = new();
        string image = directory.File("base.img", new StampedDisk(Sectors).Image());
        Random random = new(Environment.ProcessId);
        long answers = 0;
        for (int kill = 0; kill < s_kills; kill++)
        {
            string overlay = Path.Combine(directory.Path, $"over{kill}");
            int seed = random.Next();
            int answered = LifeOf(image, overlay, seed, random.Next(1, 60));
            answers += answered;

            // What was answered, and perhaps one more, which was under way.
            StampedDisk expected = new(Sectors);
            Random same = new(seed);
            using BlockImage disk = BlockImage.OpenOverlay(image, overlay);
            for (int i = 1; i <= answered; i++)
                expected.ForeseeSomething(same);
            expected.Settle();
            expected.ForeseeSomething(same);
            expected.Check(disk);
            if (Needs.WhyNot([Need.QemuImg]) == null)
            {
                disk.Dispose();

                // 3: clusters that nothing refers to; the next write gives them back.
                Assert.Contains(Command.Run("qemu-img", ["check", overlay], directory.Path).Status, (int[])[0, 3]);
            }

            File.Delete(overlay);
        }

        Assert.True(answers > 0, "no write was answered");
        Console.WriteLine($"{s_kills} kills, {answers} answered writes");
    }

    /// <summary>Starts a writer, kills it some time after its first write, and counts what it was answered.</summary>
    private static int LifeOf(string image, string overlay, int seed, int milliseconds)
    {
        using Process writer = ChildProgram.Start(nameof(OverlayWriter), image, overlay, seed.ToString(CultureInfo.InvariantCulture));
        try
        {
            Stream answers = writer.StandardOutput.BaseStream;
            byte[] bytes = new byte[1 << 20];
            int count = answers.Read(bytes);
            Assert.True(count > 0, "the writer ended: " + (count > 0 ? string.Empty : writer.StandardError.ReadToEnd()));
            Stopwatch time = Stopwatch.StartNew();
            while (time.ElapsedMilliseconds < milliseconds)
                count += answers.Read(bytes);
            writer.Kill();
            for (int more = answers.Read(bytes); more > 0; more = answers.Read(bytes))
                count += more;
            return count / sizeof(int);
        }
        finally
        {
            writer.Kill();
            writer.WaitForExit();
        }
    }
}
