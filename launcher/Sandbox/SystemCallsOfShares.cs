// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Native;
using static Lguest.Launcher.Sandbox.ArgumentTest;

namespace Lguest.Launcher.Sandbox;

/// <summary>
/// System calls that are allowed with <c>--share</c> only: all others have opened what they need before the guest runs. Files are opened
/// by openat2, from an opened folder and by instructions in memory that nobody can change, which say: nowhere but below it. Of calls
/// that make, move and remove names the filter cannot see which; Landlock says where.
/// </summary>
internal static class SystemCallsOfShares
{
    /// <summary>The first number that is no descriptor: a negative one, such as the current directory's.</summary>
    private const uint NoDescriptor = 0x8000_0000;

    private const uint TypeBits = 0xF << 12;
    private const uint RegularType = 0x8000;
    private const uint PipeType = 0x1000;

    private const string ToRead = "with --share";
    private const string ToChange = "with --share, and not ,ro; from an opened folder; Landlock says which";
    private const string OfOpened = "with --share, and not ,ro; an opened file";

    /// <summary>Every one.</summary>
    public static IReadOnlyList<AllowedCall> All { get; } =
    [
        new(BeneathOpen.Call, "openat2", "files of a share")
        {
            Limit = "with --share: from an opened folder, to nothing but what is below it, as instructions in memory that nobody can change say",
            Tests = static needs => needs.Folders.Count == 0 ? [] : [[IsDescriptor(0), .. PointsInto(2, needs.HeldNames), Is(3, BeneathOpen.HowSize)]],
        },
        new(217, "getdents64", "listing a share's folders") { Limit = ToRead, Tests = Reading },
        new(138, "fstatfs", "how much room a share has") { Limit = ToRead, Tests = Reading },
        new(258, "mkdirat", "folders of a share") { Limit = ToChange, Tests = Changing },
        new(259, "mknodat", "pipes of a share")
        {
            Limit = ToChange + "; no devices",
            Tests = static needs => !needs.ChangesFolders ? [] : [[IsDescriptor(0), new(4, TypeBits, RegularType)], [IsDescriptor(0), new(4, TypeBits, PipeType)]],
        },
        new(264, "renameat", "moving files of a share") { Limit = ToChange, Tests = BothWays },
        new(265, "linkat", "further names of files of a share") { Limit = ToChange, Tests = BothWays },
        new(266, "symlinkat", "links of a share")
        {
            Limit = ToChange,
            Tests = static needs => needs.ChangesFolders ? [[IsDescriptor(1)]] : [],
        },
        new(91, "fchmod", "modes of a share's files") { Limit = OfOpened, Tests = static needs => needs.ChangesFolders ? [[]] : [] },
        new(452, "fchmodat2", "modes of a share's files") { Limit = OfOpened, Tests = OfDescriptor },
        new(260, "fchownat", "owners of a share's files") { Limit = OfOpened, Tests = OfDescriptor },
        new(280, "utimensat", "times of a share's files")
        {
            Limit = OfOpened,
            Tests = static needs => [.. OfDescriptor(needs), .. needs.ChangesFolders ? (ArgumentTest[][])[[IsDescriptor(0), .. IsPointer(1, 0)]] : []],
        },
    ];

    /// <summary>A call whose first argument is the folder of a share that may be changed.</summary>
    public static ArgumentTest[][] Changing(SealNeeds needs) => needs.ChangesFolders ? [[IsDescriptor(0)]] : [];

    private static ArgumentTest[][] Reading(SealNeeds needs) => needs.Folders.Count > 0 ? [[]] : [];

    private static ArgumentTest[][] BothWays(SealNeeds needs) => needs.ChangesFolders ? [[IsDescriptor(0), IsDescriptor(2)]] : [];

    /// <summary>A descriptor, and the empty name, or another one that cannot be changed.</summary>
    private static ArgumentTest[][] OfDescriptor(SealNeeds needs) =>
        needs.ChangesFolders ? [[IsDescriptor(0), .. PointsInto(1, needs.HeldNames)]] : [];

    private static ArgumentTest IsDescriptor(int argument) => new(2 * argument, uint.MaxValue, NoDescriptor, ArgumentComparison.Below);
}
