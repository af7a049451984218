// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text.Json;
using Lguest.Engine;
using Lguest.Engine.Hypervisor;
using Lguest.GuestAbi;
using Lguest.Tests.Contract;
using Lguest.Tests.Support;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Tests.WholeSystem;

/// <summary>How the translator comes to a program's pages: docs/engine.md, "New pages".</summary>
public sealed class NewPagesTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    /// <summary>A program that touches each page once is not worth a mapping per page; its kernel's own pages are.</summary>
    [FactNeeding(Need.Launcher, Need.Guests, Need.Translator)]
    public void PagesTouchedOnceAreNotMapped()
    {
        JsonElement statistics = Run("touch", samples: 20, repeats: 1);
        long faults = statistics.GetProperty("traps").GetProperty("page fault").GetInt64();
        Assert.True(faults > 5000, $"{faults} page faults");
        JsonElement counters = statistics.GetProperty("counters");
        long mapped = counters.GetProperty("faults: page mapped").GetInt64();
        Assert.True(mapped < faults / 4, $"{mapped} mappings for {faults} page faults");
        Assert.True(counters.GetProperty("left by a fault").GetInt64() < faults / 4, counters.ToString());
    }

    /// <summary>A program that stays on its pages runs translated.</summary>
    [FactNeeding(Need.Launcher, Need.Guests, Need.Translator)]
    public void PagesInUseAreMapped()
    {
        JsonElement statistics = Run("switch", samples: 20, repeats: 16);
        long calls = statistics.GetProperty("traps").GetProperty("system call").GetInt64();
        Assert.True(calls > 20_000, $"{calls} system calls");
        long interpreted = statistics.GetProperty("counters").GetProperty("instructions run by the interpreter's loop").GetInt64();
        const int instructionsPerCall = 8;
        Assert.True(interpreted < calls * instructionsPerCall / 4, $"{interpreted} instructions interpreted for {calls} system calls");
    }

    /// <summary>A program that computes is translated, though the page it came to last is gone meanwhile.</summary>
    [FactNeeding(Need.Translator)]
    public void APageThatIsGoneHoldsNobodyBack()
    {
        const uint window = 0x1000_0000;
        const uint turns = 1_000_000;
        const uint user = (uint)(PageFlags.Present | PageFlags.Writable | PageFlags.User);
        using TinyGuest guest = new(
            EngineKind.Translator,
            g =>
            {
                g.BootWithRings();
                g.Gate(Vectors.SystemCall, "call", interrupt: false, dpl: 3);
                g.ToRing3("user");
                g.Mark("user");
                g.Asm.mov(eax, __[window]);
                g.Asm.@int(Vectors.SystemCall);
                g.Asm.mov(ecx, turns);
                g.Mark("again");
                g.Asm.dec(ecx);
                g.Asm.jnz(g.Here("again"));
                g.Asm.mov(ebp, 1);
                g.Asm.@int(Vectors.SystemCall);
                g.Mark("call");
                g.Asm.test(ebp, ebp);
                g.Asm.jnz(g.Here("off"));
                g.Asm.mov(__dword_ptr[GuestPlan.Virtual(GuestPlan.SpareTable)], 0);
                g.Call(HypercallKind.SetPte, GuestPlan.Directory, window, 0);
                g.Asm.iretd();
                g.Mark("off");
                g.Call(HypercallKind.Crash, GuestPlan.Text);
            },
            prepare: memory =>
            {
                // Ring 3 runs on the kernel's pages here: they must be its too.
                for (uint page = 0; page < GuestPlan.MemoryBytes >> Page.Shift; page++)
                    memory.WriteUInt32(GuestPlan.KernelTable + (page * 4), (page << Page.Shift) | user);
                memory.WriteUInt32(GuestPlan.Directory + ((window >> 22) * 4), GuestPlan.SpareTable | user);
                memory.WriteUInt32(GuestPlan.SpareTable, GuestPlan.Scratch | user);
            });
        Guest inner = guest.Guest;
        Assert.StartsWith("CRASH: ", guest.Death(), StringComparison.Ordinal);
        long interpreted = inner.Core.Counters.Single(counter => counter.Name == "instructions run by the interpreter's loop").Value;
        Assert.InRange(interpreted, 1, turns / 100);
    }

    // So many repeats in each sample, and not as many as fit into some time: the guest does the same on every machine.
    private JsonElement Run(string workload, int samples, int repeats)
    {
        string file = Path.Combine(_directory.Path, "stats");
        ProcessResult result = LauncherProcess.Run($"--stats={file},format=json", "--engine=translator", "64m", Needs.Guest("bench/guest"), "only=" + workload, $"samples={samples}", $"repeats={repeats}");
        Assert.True(result.Status == 0, result.Error);
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(file));
        return document.RootElement.Clone();
    }
}
