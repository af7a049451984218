// SPDX-License-Identifier: GPL-2.0-or-later
using System.ComponentModel;
using Lguest.Engine;
using Lguest.Engine.Cpu;
using Lguest.Engine.Hypervisor;
using Lguest.Engine.Interpreter;
using Lguest.Engine.Memory;
using Lguest.Engine.Native;
using Lguest.Engine.Time;
using Lguest.GuestAbi;
using Lguest.Tests.Contract;
using Lguest.Tests.Support;
using Xunit;

namespace Lguest.Tests.EngineParts;

/// <summary>Which engine a guest gets, what is said of those it does not get, and that they leave nothing behind.</summary>
public sealed class EngineRegistryTests
{
    private static readonly EngineEntry s_interpreter =
        new(EngineKind.Interpreter, "interpreter", () => null, (memory, gdt, clock) => new InterpreterCore(memory, gdt, clock));

    [Fact]
    public void AutoIsTheFirstThatOpens()
    {
        using OpenedEngineUse use = new(new EngineRegistry([Refusing(), s_interpreter], [EngineKind.Translator, EngineKind.Interpreter]), EngineKind.Auto);
        Assert.IsType<InterpreterCore>(use.Opened.Core);
        Assert.Equal("interpreter (auto)", use.Opened.Choice.ToString());
        Assert.Equal(["the engine 'translator' is not available here: cannot map"], use.Opened.Choice.Refused);
    }

    [Fact]
    public void AutoDoesNotTryWhatIsNotSupported()
    {
        EngineEntry unsupported = new(EngineKind.Translator, "translator", () => "it needs wings", (_, _, _) => throw new InvalidOperationException("it was tried"));
        using OpenedEngineUse use = new(new EngineRegistry([unsupported, s_interpreter], [EngineKind.Translator, EngineKind.Interpreter]), EngineKind.Auto);
        Assert.Equal(["the engine 'translator' is not available here: it needs wings"], use.Opened.Choice.Refused);
    }

    [Fact]
    public void AnEngineThatWasNamedIsTheOneOrNone()
    {
        EngineRegistry registry = new([Refusing(), s_interpreter], [EngineKind.Translator, EngineKind.Interpreter]);
        using MappedGuestMemory memory = MappedGuestMemory.Create([new MemoryRange(0, 1 << 20)]);
        EngineUnavailableException refused = Assert.Throws<EngineUnavailableException>(() => registry.Open(EngineKind.Translator, memory, new HostTime()));
        Assert.IsType<Win32Exception>(refused.InnerException);
        using OpenedEngineUse use = new(registry, EngineKind.Interpreter);
        Assert.Equal("interpreter", use.Opened.Choice.ToString());
    }

    [Fact]
    public void WithoutAnyEngineTheLastReasonIsGiven()
    {
        using MappedGuestMemory memory = MappedGuestMemory.Create([new MemoryRange(0, 1 << 20)]);
        EngineRegistry registry = new([Refusing()], [EngineKind.Translator]);
        Assert.Throws<EngineUnavailableException>(() => registry.Open(EngineKind.Auto, memory, new HostTime()));
    }

    /// <summary>
    /// Each mapping that an engine makes is refused once, ten times over: what it mapped before is unmapped, its place among the 64
    /// arenas is free again (or they would run out here), and the same memory opens when nothing is refused.
    /// </summary>
    [TheoryNeeding(Need.Translator)]
    [InlineData(EngineKind.Translator, 7)]
    [InlineData(EngineKind.Check, 8)]
    public void AnEngineThatOpensHalfWayLeavesNothing(EngineKind kind, int atLeast)
    {
        using MappedGuestMemory memory = MappedGuestMemory.Create([new MemoryRange(0, 1 << 20)]);

        // What the process keeps for all engines is mapped now.
        EngineRegistry.Default.Open(kind, memory, new HostTime()).Core.Dispose();
        int refusals = 0;
        for (int allowed = 0; ; allowed++)
        {
            bool refused = false;
            for (int round = 0; round < 10; round++)
            {
                Ledger ledger = new(allowed);
                MemoryMap.Witness = ledger;
                try
                {
                    ExecutionCore core = EngineRegistry.Default.Open(kind, memory, new HostTime()).Core;
                    ledger.Refuses = false;
                    core.Dispose();
                }
                catch (EngineUnavailableException reason)
                {
                    Assert.Contains("refused for a test", reason.Message, StringComparison.Ordinal);
                    Assert.False(memory.IsObserved);
                    refused = true;
                }
                finally
                {
                    MemoryMap.Witness = null;
                }

                Assert.Equal(0, ledger.Outstanding);
            }

            if (!refused)
                break;
            refusals++;
        }

        Assert.True(refusals >= atLeast, $"{refusals} mappings were refused");
    }

    /// <summary>The genuine ones, with a guest: what the guest's owner is told.</summary>
    [Theory]
    [InlineData(EngineKind.Interpreter, "interpreter")]
    [InlineData(EngineKind.Auto, null)]
    public void AGuestsOwnerKnowsTheEngine(EngineKind kind, string? name)
    {
        using MappedGuestMemory memory = MappedGuestMemory.Create([new MemoryRange(0, 1 << 20)]);
        using Guest guest = GuestEngine.Start(kind, memory, Generation.Linux2623, new GuestStart(256, 0x1000, 0xC000_0000, 0xC000_0000), out EngineChoice choice);
        Assert.Equal(name ?? $"{(Lguest.Engine.Translator.TranslatorCore.IsSupported ? "translator" : "interpreter")} (auto)", choice.ToString());
    }

    private static EngineEntry Refusing() => new(EngineKind.Translator, "translator", () => null, (_, _, _) => throw new Win32Exception(12, "cannot map"));

    private sealed class OpenedEngineUse : IDisposable
    {
        private readonly MappedGuestMemory _memory = MappedGuestMemory.Create([new MemoryRange(0, 1 << 20)]);

        public OpenedEngineUse(EngineRegistry registry, EngineKind kind) => Opened = registry.Open(kind, _memory, new HostTime());

        public OpenedEngine Opened { get; }

        public void Dispose()
        {
            Opened.Core.Dispose();
            _memory.Dispose();
        }
    }

    /// <summary>Counts the bytes that a thread has mapped and not unmapped, and refuses one mapping after some.</summary>
    private sealed class Ledger(int allowed) : IMapWitness
    {
        private readonly List<(nint Start, nint End)> _mapped = [];
        private int _asked;

        public bool Refuses { get; set; } = true;

        public long Outstanding => _mapped.Sum(region => (long)(region.End - region.Start));

        public void Asked(nuint length)
        {
            if (Refuses && _asked++ == allowed)
                throw new Win32Exception(12, "refused for a test");
        }

        public void Mapped(nint address, nuint length)
        {
            // Slots are the process's.
            if (length == CodeSlots.SlotSize && (nuint)address - (nuint)SlotsStart < unchecked(64UL * CodeSlots.SlotSize))
                return;
            Unmapped(address, length);
            _mapped.Add((address, address + (nint)length));
        }

        public void Unmapped(nint address, nuint length)
        {
            nint end = address + (nint)length;
            foreach ((nint Start, nint End) region in _mapped.ToArray())
            {
                if (region.End <= address || region.Start >= end)
                    continue;
                _mapped.Remove(region);
                if (region.Start < address)
                    _mapped.Add((region.Start, address));
                if (region.End > end)
                    _mapped.Add((end, region.End));
            }
        }

        private static unsafe nint SlotsStart => (nint)CodeSlots.Start;
    }
}
