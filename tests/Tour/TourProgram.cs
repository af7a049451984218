// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Tests.Architecture;
using Lguest.Tests.Support;

namespace Lguest.Tests.Tour;

/// <summary><c>make tour</c>: writes the page, unless something is wrong with the markers.</summary>
internal static class TourProgram
{
    /// <summary>Writes it.</summary>
    /// <returns>The exit status.</returns>
    public static int Run()
    {
        List<string> faults = [];
        string page = TourPage.Of(SourceTree.All, TourChapter.All, faults, TourChapter.Threads);
        if (faults.Count > 0)
        {
            Console.Error.WriteLine($"the tour has gaps or clashes, and is not written:\n  {string.Join("\n  ", faults)}");
            return 1;
        }

        File.WriteAllText(Path.Combine(Needs.Root, TourPage.Path), page);
        Console.WriteLine($"{TourPage.Path} is written");
        return 0;
    }
}
