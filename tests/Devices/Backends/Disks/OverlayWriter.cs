// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using Lguest.Devices.Backends;

namespace Lguest.Tests.Devices.Backends.Disks;

/// <summary>A process that writes to an overlay until it is killed, and prints a line for each write that was answered.</summary>
internal static class OverlayWriter
{
    /// <summary>Everything follows from the seed, so that the line needs only a number: which write it was.</summary>
    public static int Run(string image, string overlay, string seed)
    {
        using BlockImage disk = BlockImage.OpenOverlay(image, overlay);
        StampedDisk stamps = new((int)disk.Sectors);
        Random random = new(int.Parse(seed, CultureInfo.InvariantCulture));
        using Stream output = Console.OpenStandardOutput();
        for (int i = 1; ; i++)
        {
            stamps.WriteSomething(disk, random);
            if (i % 8 == 0 && disk.Sync() != 0)
                return 1;

            // One write to the pipe: whole, or not there.
            output.Write(BitConverter.GetBytes(i));
        }
    }
}
