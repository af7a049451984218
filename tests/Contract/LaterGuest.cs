// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;
using static Lguest.GuestAbi.HypercallKind;

namespace Lguest.Tests.Contract;

/// <summary>What tiny guests speak that are of a later generation.</summary>
internal static class LaterGuest
{
    /// <summary>4.1's, with a call at a number that no generation has by which a guest reports to its test.</summary>
    public static Generation Linux41 { get; } = Generation.Linux41 with
    {
        Calls = new HypercallTable(
            FlushAsync, LguestInit, Shutdown, None, NewPageTable, FlushTlb, LoadIdtEntry, SetStack, SetTaskSwitched,
            SetClockEvent, Halt, SendDma, None, SetPmdPae, SetPte, SetPgd, LoadTls, None, LoadGdtEntry, SendInterrupts),
    };

    /// <summary>Guest physical address of the page that <see cref="RecordingDevices"/> have: above the guest's memory.</summary>
    public const uint DevicePage = 0x30_0000;

    /// <summary>Where a guest sees it whose memory was prepared by <see cref="MapDevices"/>.</summary>
    public const uint Device = GuestPlan.PageOffset + DevicePage;

    /// <summary>Maps the devices' page for the kernel.</summary>
    public static void MapDevices(GuestMemory memory) =>
        memory.WriteUInt32(GuestPlan.KernelTable + (DevicePage >> Page.Shift) * 4, DevicePage | (uint)(PageFlags.Present | PageFlags.Writable | PageFlags.CacheDisable | PageFlags.WriteThrough));
}
