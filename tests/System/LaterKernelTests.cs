// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Memory;
using Lguest.GuestAbi;
using Lguest.Launcher.Kernel;
using Lguest.Launcher.Memory;
using Lguest.Tests.Launcher;
using Lguest.Tests.Support;

namespace Lguest.Tests.WholeSystem;

/// <summary>Real kernels of 2.6.24 to 4.13, from the environment (docs/testing.md): recognized and loaded as they want to be.</summary>
public sealed class LaterKernelTests
{
    private const string Prefix = "LGUEST_TEST_KERNEL_";

    /// <summary>The first with virtio devices.</summary>
    [FactNeedingFile(Prefix + "2_6_24")]
    public void Linux2624IsLoaded() => Check("2_6_24", "2.6.24", DeviceBusKind.TypedLguestBus);

    /// <summary>Its calls are made by vmcall.</summary>
    [FactNeedingFile(Prefix + "2_6_32")]
    public void Linux2632IsLoaded() => Check("2_6_32", "2.6.31", DeviceBusKind.LguestBus);

    /// <summary>It makes its first page tables itself.</summary>
    [FactNeedingFile(Prefix + "3_14")]
    public void Linux314IsLoaded() => Check("3_14", "3.1", DeviceBusKind.LguestBus);

    /// <summary>The last long-term release on the lguest bus.</summary>
    [FactNeedingFile(Prefix + "3_18")]
    public void Linux318IsLoaded() => Check("3_18", "3.1", DeviceBusKind.LguestBus);

    /// <summary>On PCI.</summary>
    [FactNeedingFile(Prefix + "4_9")]
    public void Linux49IsLoaded() => Check("4_9", "4.1", DeviceBusKind.Pci);

    /// <summary>The last release with lguest.</summary>
    [FactNeedingFile(Prefix + "4_13")]
    public void Linux413IsLoaded() => Check("4_13", "4.10", DeviceBusKind.Pci);

    private static void Check(string name, string series, DeviceBusKind devices)
    {
        string path = Environment.GetEnvironmentVariable(Prefix + name)!;
        MemoryBanks banks = MemoryBanks.Parse("512m");
        KernelImage kernel = KernelLoader.Load(path, banks.Lowest.Length);
        Assert.Equal((series, devices), (kernel.Series.Name, kernel.Series.Devices));
        Assert.StartsWith(name.Replace('_', '.'), kernel.Release, StringComparison.Ordinal);
        Assert.True(kernel.Start < kernel.End && kernel.NeedsUpTo >= kernel.End);
        Assert.Contains(kernel.Segments, segment => kernel.Entry >= segment.Address && kernel.Entry < segment.End);

        GuestLayout layout = GuestLayout.Plan(banks, kernel, 1 << 20, devicePages: 10);
        using MappedGuestMemory memory = MappedGuestMemory.Create(layout.Ranges);
        kernel.CopyTo(memory);
        BootInformation.Write(memory, layout, BootInformation.EncodeCommandLine("quiet", kernel.CommandLineBytes));
        Assert.InRange(memory.ReadValue<ushort>(SetupHeader.Version), SetupHeader.FirstForGuests, ushort.MaxValue);
        Assert.Equal(1u, memory.ReadUInt32(BootParameters.GuestType));
        Assert.True(uint.IsPow2(memory.ReadUInt32(SetupHeader.Alignment)));
        Assert.Equal((uint)layout.InitrdAddress, memory.ReadUInt32(BootParameters.InitrdAddress));
        Assert.NotEqual(0ul, memory.ReadValue<ulong>(kernel.Entry));
    }
}
