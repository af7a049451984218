// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Cpu;
using Lguest.GuestAbi;

namespace Lguest.Engine.Hypervisor;

/// <summary>The guest's descriptor table, of which it can change what is its own.</summary>
public sealed unsafe partial class Guest
{
    private void LoadGdt(uint address, uint count)
    {
        if (count > Selectors.GdtEntries)
            Kill($"too many gdt entries {(int)count}");
        else
            LoadDescriptors(address, 0, (int)count);
    }

    private void LoadDescriptors(uint address, int first, int count)
    {
        uint bytes = (uint)count * sizeof(ulong);
        if (!_memory.Contains(address, bytes))
        {
            Kill($"bad read address {Hex(address)} len {bytes}");
            return;
        }

        for (int i = 0; i < count; i++)
            SetDescriptor(first + i, _memory.ReadValue<ulong>(address + ((uint)i * sizeof(ulong)))); // Read once
        DescriptorsChanged();
    }

    private void LoadDescriptor(uint index, ulong descriptor)
    {
        if (index >= Selectors.GdtEntries)
        {
            Kill($"too many gdt entries {(int)index}");
            return;
        }

        SetDescriptor((int)index, descriptor);
        DescriptorsChanged();
    }

    private void SetDescriptor(int index, ulong descriptor)
    {
        const ulong dpl = 3UL << 45;
        const ulong ring1 = 1UL << 45;
        const ulong accessed = 1UL << 40;
        if (Selectors.IsIgnored(index))
            return;

        // The guest is sometimes careless and leaves a privilege level of 0; and the accessed bit must be set, since no
        // processor can set it in a table of which the guest holds another copy.
        if ((descriptor & dpl) == 0)
            descriptor |= ring1;
        _gdt.Entries[index] = descriptor | accessed;
    }

    private void DescriptorsChanged()
    {
        Context = _context with { DescriptorChanges = _context.DescriptorChanges + 1 };
        ReloadSegments();
    }

    /// <summary>
    /// Every way back into a guest loads its segment registers again, so that a new descriptor is in force at once; and a
    /// register that has lost its descriptor kills the guest, for it could not be entered.
    /// </summary>
    private void ReloadSegments()
    {
        for (SegmentName name = SegmentName.Es; name <= SegmentName.Gs; name++)
        {
            uint selector = _cpu->Arch.Segment(name).Selector;
            if ((selector & 0xFFFC) == 0)
                continue;
            bool found = _gdt.TryGet(selector, out ulong descriptor);
            const uint needed = SegmentLoad.PresentBit | SegmentLoad.NonSystemBit;
            if (!found || (SegmentLoad.Attributes(descriptor) & needed) != needed)
            {
                Kill($"unhandled trap 256 at {Hex(_cpu->Arch.Eip)} (0x0)");
                return;
            }

            uint ring = _cpu->Arch.Cpl;
            _core.SetSegment(name, selector);
            _cpu->Arch.Cpl = ring;
        }
    }

    private void SetHostDescriptors()
    {
        const ulong ring = 3UL << 45;
        _gdt.Entries[Selectors.HostCodeIndex] = DescriptorTable.FlatCode & ~ring;
        _gdt.Entries[Selectors.HostDataIndex] = DescriptorTable.FlatData & ~ring;

        // The switcher's TSS: busy, 0x68 bytes, in the host's part of the address space.
        _gdt.Entries[Selectors.TssIndex] = 0xFF00_8BC0_2000_0067;
    }
}
