// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Cpu;
using Lguest.Engine.Hypervisor;
using Lguest.Engine.Interpreter;
using Lguest.GuestAbi;

namespace Lguest.Engine;

/// <summary>Which engine runs the guest.</summary>
public enum EngineKind
{
    /// <summary>The fastest that this host can run.</summary>
    Auto,

    /// <summary>One instruction after the other, in C#: runs anywhere, and is what the others are compared with.</summary>
    Interpreter,
}

/// <summary>Opens a channel to an engine: what opening <c>/dev/lguest</c> was.</summary>
public static class GuestEngine
{
    /// <summary>Opens a channel. The guest starts with INITIALIZE and its first read.</summary>
    /// <param name="kind">The engine wanted.</param>
    /// <param name="memory">The guest's memory, loaded.</param>
    /// <param name="generation">The ABI that the guest speaks.</param>
    /// <param name="clock">The host's time; null: the real one.</param>
    public static EngineChannel Open(EngineKind kind, GuestMemory memory, AbiGeneration generation, IHostClock? clock = null)
    {
        if (kind is not (EngineKind.Auto or EngineKind.Interpreter))
            throw new ArgumentOutOfRangeException(nameof(kind), kind, "there is no such engine");
        return new EngineChannel(() => new InterpreterCore(memory, new DescriptorTable()), generation, clock ?? HostClock.Instance);
    }
}
