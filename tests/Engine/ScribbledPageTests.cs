// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using Lguest.Engine;
using Lguest.Engine.Memory;
using Lguest.GuestAbi;
using Lguest.Tests.Contract;
using Lguest.Tests.Support;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Tests.EngineParts;

/// <summary>
/// A program runs a page into which another process writes random bytes all the while: whatever it comes to, it faults back into
/// its kernel, again and again, and the host is none the worse.
/// </summary>
public sealed class ScribbledPageTests
{
    private const uint Shared = GuestPlan.Scratch;
    private const uint Counter = GuestPlan.Scratch + Page.Size;
    private const uint Seed = Counter + 4;
    private const int Vector = 20;
    private static readonly TimeSpan s_time = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData(EngineKind.Interpreter)]
    [InlineData(EngineKind.Translator)]
    public void AProgramRunsWhatAnotherProcessWrites(EngineKind kind)
    {
        byte[] canary = new byte[1 << 20];
        new Random(1).NextBytes(canary);
        byte[] before = [.. canary];
        using TemporaryDirectory directory = new();
        string path = Path.Combine(directory.Path, "page");
        File.WriteAllBytes(path, new byte[Page.Size]);
        using FileStream file = new(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        using Process other = ChildProgram.Start(nameof(Scribbler), path);
        try
        {
            Assert.Equal("writing", other.StandardOutput.ReadLine());
            using TinyGuest guest = new(kind, Kernel, prepare: memory => Prepare(memory, (int)file.SafeFileHandle.DangerousGetHandle()));

            // For some time, and until it has been there and back often enough to mean something.
            Stopwatch clock = Stopwatch.StartNew();
            do
                guest.RunQuietly(100);
            while (clock.Elapsed < s_time || (guest.Memory.ReadUInt32(Counter) < 1000 && clock.Elapsed < s_patience));
            Assert.InRange(guest.Memory.ReadUInt32(Counter), 1000u, uint.MaxValue);
        }
        finally
        {
            other.StandardInput.Close();
            if (!other.WaitForExit(s_patience))
                other.Kill();
        }

        Assert.Equal(before, canary);
    }

    private static void Kernel(GuestProgram g)
    {
        g.BootWithRings();
        for (uint vector = 0; vector < Vector; vector++)
            g.Gate(vector, "back", dpl: 3);
        g.Gate(Vectors.SystemCall, "back", interrupt: false, dpl: 3);
        g.Mark("back");
        g.Asm.cld();
        g.Asm.mov(eax, GuestPlan.UserData);
        g.Asm.mov(ds, ax);
        g.Asm.mov(es, ax);
        g.Asm.mov(esp, GuestPlan.Virtual(GuestPlan.StackTop));
        g.Asm.inc(__dword_ptr[GuestPlan.Virtual(Counter)]);
        g.Asm.imul(eax, __dword_ptr[GuestPlan.Virtual(Seed)], 1_103_515_245);
        g.Asm.add(eax, 12_345);
        g.Asm.mov(__[GuestPlan.Virtual(Seed)], eax);
        g.Asm.shr(eax, 16);
        g.Asm.and(eax, (int)Page.OffsetMask);
        g.Asm.add(eax, (int)GuestPlan.Virtual(Shared));
        g.Asm.push(GuestPlan.UserData);
        g.Asm.push(GuestPlan.Virtual(GuestPlan.UserStackTop));
        g.Asm.push(0x202);
        g.Asm.push(GuestPlan.UserCode);
        g.Asm.push(eax);
        g.Asm.iretd();
    }

    /// <summary>To ring 3 there is the shared page and a stack, and nothing else.</summary>
    private static void Prepare(GuestMemory memory, int file)
    {
        memory.MapFile(Shared, file, 0);
        for (uint page = 0; page < GuestPlan.MemoryBytes >> Page.Shift; page++)
        {
            uint frame = page << Page.Shift;
            if (frame is not (Shared or (GuestPlan.UserStackTop - Page.Size)))
                memory.WriteUInt32(GuestPlan.KernelTable + (page * 4), frame | (GuestPlan.Mapped & ~(uint)PageFlags.User));
        }
    }
}
