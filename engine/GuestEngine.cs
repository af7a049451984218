// SPDX-License-Identifier: GPL-2.0-or-later
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
    public static IGuestChannel Open(EngineKind kind, GuestMemory memory, AbiGeneration generation) =>
        throw new NotSupportedException($"{kind} {memory} {generation}");
}
