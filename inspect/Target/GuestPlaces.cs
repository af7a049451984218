// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Inspect.Target;

/// <summary>A part of the guest's physical memory.</summary>
/// <param name="Name">What lives there.</param>
/// <param name="Start">First guest physical address.</param>
/// <param name="End">First one after it.</param>
/// <param name="Kind">A style of the picture: kernel, tables, initrd, boot, free, device.</param>
public readonly record struct MemoryPart(string Name, ulong Start, ulong End, string Kind);

/// <summary>Where the launcher put what it gave a guest.</summary>
/// <param name="Kernel">The kernel's file.</param>
/// <param name="DescriptorPage">Guest physical address of the device descriptors; null where devices are found otherwise.</param>
/// <param name="Memory">All of the guest's physical memory, by address.</param>
public sealed record GuestPlaces(string Kernel, uint? DescriptorPage, IReadOnlyList<MemoryPart> Memory);
