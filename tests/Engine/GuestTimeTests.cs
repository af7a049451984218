// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine;
using Lguest.Engine.Time;
using Lguest.GuestAbi;
using Lguest.Tests.Contract;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Tests.EngineParts;

/// <summary>A guest has one source of time: counter, wall clock and timer all come from it, in every engine.</summary>
public sealed class GuestTimeTests
{
    private const int Naps = 20;

    /// <summary>Where lguest_data has the wall clock's nanoseconds.</summary>
    private const uint Nanoseconds = GuestPlan.Data + 16;

    [Theory]
    [InlineData(EngineKind.Interpreter)]
    [InlineData(EngineKind.Translator)]
    [InlineData(EngineKind.Check)]
    public void AGuestOfMadeUpTimeSeesTheSameInEachRun(EngineKind kind)
    {
        List<uint> first = ReadAndNap(kind);
        Assert.Equal(first, ReadAndNap(kind));
        Assert.Equal(first, ReadAndNap(EngineKind.Interpreter));

        // A nap is as long as it was meant to be; and the wall clock, which is written down when the guest is woken, has moved as far.
        for (int i = 0; i < Naps; i++)
        {
            Assert.Equal(Nap(i) + VirtualTime.PerRead, first[(3 * i) + 1] - first[3 * i]);
            Assert.Equal((first[(3 * i) + 1] - VirtualTime.PerRead) % 1_000_000_000, first[(3 * i) + 2]);
        }
    }

    /// <summary>An interpreter looks up after so many instructions: with made-up time even an interrupted loop is always the same.</summary>
    [Fact]
    public void InTheInterpreterALoopIsInterruptedAtTheSameInstruction()
    {
        uint[] rounds = [.. Enumerable.Range(0, 3).Select(static _ => RoundsUntilInterrupted())];
        Assert.InRange(rounds[0], 1_000u, uint.MaxValue);
        Assert.All(rounds, count => Assert.Equal(rounds[0], count));
    }

    [Theory]
    [InlineData(EngineKind.Interpreter)]
    [InlineData(EngineKind.Translator)]
    [InlineData(EngineKind.Check)]
    public void TheCounterIsTheHostsPlusTheOffset(EngineKind kind)
    {
        const ulong offset = 0x1234_5678_0000_0000;
        HostTime clock = new() { TscOffset = offset };
        ulong before = (ulong)clock.Monotonic + offset;
        using TinyGuest guest = new(
            kind,
            static g =>
            {
                g.Boot();
                g.Asm.rdtsc();
                g.Asm.mov(esi, eax);
                g.Asm.mov(edi, edx);
                g.Report(esi);
                g.Report(edi);
            },
            clock: clock);
        ulong read = guest.Next() | ((ulong)guest.Next() << 32);
        Assert.InRange(read, before, (ulong)clock.Monotonic + offset);
    }

    private static uint Nap(int index) => 1_000_003u * (uint)(index + 1);

    /// <summary>A guest that reads the counter, naps, and reads it again, and the wall clock.</summary>
    private static List<uint> ReadAndNap(EngineKind kind)
    {
        using TinyGuest guest = new(
            kind,
            static g =>
            {
                g.BootWithRings();
                g.Gate(32, "trap32");
                for (int i = 0; i < Naps; i++)
                {
                    g.Asm.rdtsc();
                    g.Report(eax);
                    g.Call(HypercallKind.SetClockEvent, Nap(i));
                    g.Call(HypercallKind.Halt);
                    g.Asm.rdtsc();
                    g.Report(eax);
                    g.Asm.mov(esi, __dword_ptr[GuestPlan.Virtual(Nanoseconds)]);
                    g.Report(esi);
                }

                g.Trap(32);
            },
            clock: new VirtualTime());
        List<uint> seen = [];
        for (int i = 0; i < Naps; i++)
        {
            seen.Add(guest.Next());
            guest.NextTrap(32);
            seen.Add(guest.Next());
            seen.Add(guest.Next());
        }

        return seen;
    }

    private static uint RoundsUntilInterrupted()
    {
        using TinyGuest guest = new(
            EngineKind.Interpreter,
            static g =>
            {
                g.BootWithRings();
                g.Gate(32, "tick");
                g.Interrupts(on: true);
                g.Call(HypercallKind.SetClockEvent, 1_000_000);
                g.Asm.xor(ecx, ecx);
                g.Mark("loop");
                g.Asm.inc(ecx);
                g.Asm.jmp(g.Here("loop"));
                g.Mark("tick");
                g.Report(ecx);
            },
            clock: new StillClock { Step = 10_000 });
        return guest.Next();
    }
}
