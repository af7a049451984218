// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Hypervisor;
using Lguest.Engine.Time;
using Lguest.GuestAbi;

namespace Lguest.Engine;

/// <summary>Which engine runs the guest.</summary>
public enum EngineKind
{
    /// <summary>The fastest that opens on this host: see <see cref="EngineRegistry"/>.</summary>
    Auto,

    /// <summary>One instruction after the other, in C#: runs anywhere, and is what the others are compared with.</summary>
    Interpreter,

    /// <summary>Guest code as host code: Linux on x86-64.</summary>
    Translator,

    /// <summary>Both in lockstep, the interpreter as the judge of the translator.</summary>
    Check,
}

/// <summary>Opens a channel to an engine: what opening <c>/dev/lguest</c> was.</summary>
public static class GuestEngine
{
    /// <summary>Opens a channel. The guest starts with INITIALIZE, which opens the engine, and its first read.</summary>
    /// <param name="kind">The engine wanted.</param>
    /// <param name="memory">The guest's memory, loaded.</param>
    /// <param name="generation">The ABI that the guest speaks.</param>
    /// <param name="clock">The guest's time; null: the host's.</param>
    public static EngineChannel Open(EngineKind kind, GuestMemory memory, AbiGeneration generation, IGuestTime? clock = null) =>
        new(() => EngineRegistry.Default.Open(kind, memory, clock ?? new HostTime()), generation);
}
