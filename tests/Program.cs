// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Tests.Devices.Backends.Disks;
using Lguest.Tests.EngineParts;
using Lguest.Tests.EngineParts.Signals;
using Lguest.Tests.Fuzz;
using Lguest.Tests.Sandbox;
using Lguest.Tests.Tour;

namespace Lguest.Tests;

/// <summary>The test assembly as a program: see <see cref="Support.ChildProgram"/>.</summary>
internal static class Program
{
    /// <summary>The child's side.</summary>
    public static int Main(string[] arguments)
    {
        switch (arguments)
        {
            case [nameof(SignalChild), .. string[] rest]:
                return SignalChild.Run(rest);
            case [nameof(Prisoner), .. string[] rest]:
                return Prisoner.Run(rest);
            case [nameof(SealedShare), string directory, string access]:
                return SealedShare.Run(directory, access);
            case [nameof(LateThread)]:
                return LateThread.Run();
            case [nameof(Scribbler), string path]:
                return Scribbler.Run(path);
            case [nameof(OverlayWriter), string image, string overlay, string seed]:
                return OverlayWriter.Run(image, overlay, seed);
            case [nameof(FuzzChild), .. string[] rest]:
                return FuzzChild.Run(rest);
            case ["fuzz", .. string[] rest]:
                return FuzzProgram.Run(rest);
            case ["tour"]:
                return TourProgram.Run();
            default:
                Console.Error.WriteLine("run the tests with make test");
                return 2;
        }
    }
}
