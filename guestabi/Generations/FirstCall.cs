// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi.Generations;

/// <summary>
/// What a guest's first call shows of the interface that it speaks (abi.md §0.3): from 2.6.24 on a guest has filled its lguest_data in before
/// it says where it is, and each layout has other things at other places.
/// </summary>
public static class FirstCall
{
    private const uint LowestKernel = 0x1000_0000;

    /// <summary>The layout of what is at an address; null when it is none that says so.</summary>
    /// <param name="memory">The guest's memory.</param>
    /// <param name="address">Guest physical; any number.</param>
    public static GuestDataLayout? LayoutAt(GuestMemory memory, uint address)
    {
        foreach (GuestDataLayout layout in GuestDataLayout.All)
        {
            if (layout.KernelAddress is { } kernel && layout.SystemCallVector is { } vector && memory.Contains(address, layout.Size)
                && memory.Read(address + layout.RingStatus, GuestData.RingSize).IndexOfAnyExcept(GuestData.RingDone) < 0
                && memory.ReadUInt32(address + kernel) is >= LowestKernel and var start && start % Page.Size == 0
                && memory.ReadUInt32(address + vector) == Vectors.SystemCall)
            {
                return layout;
            }
        }

        return null;
    }
}
