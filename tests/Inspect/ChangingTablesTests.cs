// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using Lguest.Devices;
using Lguest.Devices.Backends;
using Lguest.Devices.Bus.Dma;
using Lguest.Devices.Models;
using Lguest.Engine;
using Lguest.Engine.Hypervisor;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Debugging;
using Lguest.Inspect.Reports;
using Lguest.Inspect.Target;
using Lguest.Tests.Contract;
using Lguest.Tests.EngineParts;
using Lguest.Tests.Support;

namespace Lguest.Tests.Inspect;

/// <summary>Looking into a guest whose page tables others write to: whatever is found, the launcher lives.</summary>
public sealed unsafe class ChangingTablesTests
{
    private const uint Window = 0x4400_0000;
    private const uint Frame = 0x10_0000;
    private static readonly TimeSpan s_racing = TimeSpan.FromSeconds(1);

    [Fact]
    public void ACoreIsWrittenWhileTablesChange()
    {
        using TemporaryDirectory directory = new();
        using TinyGuest guest = new(EngineKind.Interpreter, g => g.Spin(), prepare: Scatter);
        Guest inner = guest.Guest;
        using Flipper others = Flipper.Of((uint*)(guest.Memory.Base + GuestPlan.SpareTable + 8), Frame | GuestPlan.Mapped, 0);
        Stopwatch clock = Stopwatch.StartNew();
        string path = Path.Combine(directory.Path, "core");
        while (clock.Elapsed < s_racing)
        {
            using OutputFile core = OutputFile.Open("--coredump", "the core", path, new FileClaims());
            Assert.Null(CoreDump.Write(inner, core));
        }

        Assert.True(new FileInfo(path).Length > GuestPlan.MemoryBytes);
    }

    [Fact]
    public void AWriteIsAllOrNothingWhileTablesChange()
    {
        using TinyGuest guest = new(EngineKind.Interpreter, g => g.Spin(), prepare: Scatter);
        Guest inner = guest.Guest;
        using Flipper others = Flipper.Of((uint*)(guest.Memory.Base + GuestPlan.SpareTable + 8), Frame | GuestPlan.Mapped, 0);
        Stopwatch clock = Stopwatch.StartNew();
        byte[] bytes = new byte[8];
        HashSet<bool> answers = [];
        for (byte i = 0; clock.Elapsed < s_racing; i++)
        {
            // The first half lies in the second page, whose entry stays; the other half in the one whose entry does not.
            bytes.AsSpan().Fill(i);
            uint before = guest.Memory.ReadUInt32(Frame + (4 * Page.Size) + Page.Size - 4);
            bool written = inner.WriteLinear(Window + (2 * Page.Size) - 4, bytes);
            answers.Add(written);
            uint after = guest.Memory.ReadUInt32(Frame + (4 * Page.Size) + Page.Size - 4);
            Assert.Equal(written ? i * 0x0101_0101u : before, after);
        }

        Assert.Equal(2, answers.Count);
    }

    [Fact]
    public void ADiskIsCountedWhateverItsDescriptorSays()
    {
        using TemporaryDirectory directory = new();
        using TestGuest guest = new();
        using BlockImage image = BlockImage.Open(directory.File("disk.img", new byte[4096]), readOnly: false);
        DmaBus bus = new(guest.Memory, TestGuest.Ram);
        DmaDisk disk = new(new DiskModel(image));
        bus.Add(disk);
        DeviceWatcher watcher = new([disk.Model]);
        bus.Observer = watcher;
        guest.Memory.Write(TestGuest.Ram, DeviceDescriptor.Size).Fill(0x7F);
        guest.Memory.WriteValue(bus.Devices[0].Memory!.Value.Start, new BlockPage { Type = BlockRequestType.Write, Bytes = 512 });
        guest.WriteDma(0x1000, (0x2000, 512));
        guest.WriteDma(0x1100);
        guest.Fake.Bind(bus.Devices[0].Memory!.Value.Start, 0x1100, irq: 1);
        bus.HandleOutput(guest.Fake, 0x1000, bus.Devices[0].Memory!.Value.Start);
        Assert.Equal((512, 1, 0), (watcher.Traffic[0].BytesOut, watcher.Traffic[0].Requests, watcher.Traffic[0].Errors));
    }

    /// <summary>Pages that do not follow one another in physical memory.</summary>
    private static void Scatter(GuestMemory memory)
    {
        memory.WriteUInt32(GuestPlan.Directory + ((Window >> 22) * sizeof(uint)), GuestPlan.SpareTable | (uint)PageFlags.Linear);
        for (uint page = 0; page < 4; page++)
            memory.WriteUInt32(GuestPlan.SpareTable + (page * sizeof(uint)), (Frame + (((page * 4) % 7) * Page.Size)) | GuestPlan.Mapped);
    }
}
