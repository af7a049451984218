// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine;
using Lguest.Engine.Check;
using Lguest.Engine.Memory;
using Lguest.GuestAbi;
using Lguest.Tests.Contract;

namespace Lguest.Tests.EngineParts;

/// <summary>
/// Whatever a guest does it does to itself: the host does not crash, hang, throw or touch what is not the guest's. Its memory
/// lies between holes that nobody may touch, so that a stray access ends the test run.
/// </summary>
/// <param name="engine">The engine under test.</param>
/// <param name="casesOfAKind">How many guests of each kind; <c>LGUEST_CASES=n</c> multiplies it.</param>
public abstract class HostileGuestTests(EngineKind engine, int casesOfAKind = 1000)
{
    private const int CasesWithNeighbour = 500;

    public static TheoryData<HostileKind> Kinds => [.. Enum.GetValues<HostileKind>()];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void NoGuestHarmsItsHost(HostileKind kind)
    {
        using MappedGuestMemory memory = MappedGuestMemory.Create(HostileGuest.Ranges);
        RunCases(kind, memory, casesOfAKind);
    }

    /// <summary>The same while another process writes to the guest's code, page tables, lists and lguest_data.</summary>
    [Theory]
    [MemberData(nameof(Kinds))]
    public void NorWithANeighbour(HostileKind kind)
    {
        using MappedGuestMemory memory = MappedGuestMemory.Create(HostileGuest.Ranges);
        using NoisyNeighbour neighbour = new(memory, [GuestPlan.Code + Page.Size, GuestPlan.Directory, GuestPlan.KernelTable, GuestPlan.Data, GuestPlan.DmaArray, GuestPlan.Gdt, GuestPlan.Scratch]);
        RunCases(kind, memory, Math.Min(casesOfAKind, CasesWithNeighbour));
    }

    private void RunCases(HostileKind kind, MappedGuestMemory memory, int cases)
    {
        using HostileRun run = new(engine, memory);
        Dictionary<string, int> ends = [];
        cases = Differential.Cases.Of(cases);
        for (int i = 0; i < cases; i++)
        {
            int seed = ((int)kind * 1_000_000) + i;
            string end;
            try
            {
                end = run.Run(kind, seed);
            }
            catch (EngineDisagreementException e)
            {
                throw new InvalidOperationException($"case {seed} of {kind}: {e.Message}\n{e.Report}", e);
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"case {seed} of {kind}: {e.Message}", e);
            }

            ends[end] = ends.GetValueOrDefault(end) + 1;
        }

        // Cases that all end the same way would test nothing, nor would engines that have nothing to compare.
        Assert.True(ends.Count > Math.Min(3, cases / 20), string.Join(", ", ends.Select(pair => $"{pair.Value} x {pair.Key}")));
        Assert.True(engine != EngineKind.Check || run.Compared > cases, $"{run.Compared} instructions compared");
    }
}

public sealed class InterpreterHostileGuests() : HostileGuestTests(EngineKind.Interpreter);

/// <summary>The translator's containment (docs/engine.md) rests on these guests, among others.</summary>
public sealed class TranslatorHostileGuests() : HostileGuestTests(EngineKind.Translator);

/// <summary>Both engines do the same with the worst of guests, wherever a processor has no choice.</summary>
public sealed class CheckHostileGuests() : HostileGuestTests(EngineKind.Check, casesOfAKind: 300)
{
    /// <summary>
    /// A jump on a flag that IMUL left undefined; REPE CMPSB of two pages that are not there; REP STOS over itself; an instruction after MUL that kills;
    /// REP STOSB over code in several rounds; a repeated instruction after POPF has set AC, which was waited for without end.
    /// </summary>
    [Theory]
    [InlineData(HostileKind.KernelCode, 920)]
    [InlineData(HostileKind.KernelCode, 1842)]
    [InlineData(HostileKind.KernelCode, 2984)]
    [InlineData(HostileKind.PageTables, 2_000_638)]
    [InlineData(HostileKind.Tables, 5_000_769)]
    [InlineData(HostileKind.PageTables, 2_002_369)]
    public void WhatOnceWasAFalseAlarmIsNone(HostileKind kind, int seed)
    {
        using MappedGuestMemory memory = MappedGuestMemory.Create(HostileGuest.Ranges);
        using HostileRun run = new(EngineKind.Check, memory, TimeSpan.FromSeconds(5));
        Assert.NotEmpty(run.Run(kind, seed));
    }
}
