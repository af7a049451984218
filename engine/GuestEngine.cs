// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Channel;
using Lguest.Engine.Hypervisor;
using Lguest.Engine.Instructions;
using Lguest.Engine.Time;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Generations;

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

/// <summary>Gives a loaded guest to an engine.</summary>
public static class GuestEngine
{
    /// <summary>Begins with what any guest's engine needs, beside whatever the caller does next. Nothing depends on it but time.</summary>
    /// <param name="kind">The engine that will be wanted.</param>
    public static void Prepare(EngineKind kind) => IcedTables.MakeBeside(encoder: kind != EngineKind.Interpreter);

    /// <summary>Makes a guest, which belongs to the calling thread; it has not run yet.</summary>
    /// <param name="kind">The engine wanted.</param>
    /// <param name="memory">The guest's memory, loaded.</param>
    /// <param name="generation">The ABI that the guest speaks.</param>
    /// <param name="start">Where it begins.</param>
    /// <param name="choice">The engine that it got.</param>
    /// <param name="clock">The guest's time; null: the host's.</param>
    /// <exception cref="ArgumentException">The kernel leaves the host no room.</exception>
    /// <exception cref="EngineUnavailableException">The engine that was named cannot run here; or none can.</exception>
    public static Guest Start(EngineKind kind, GuestMemory memory, Generation generation, GuestStart start, out EngineChoice choice, IGuestTime? clock = null)
    {
        if (!start.LeavesRoomForHost)
            throw new ArgumentException($"a kernel at 0x{start.PageOffset:x8} leaves the host no room", nameof(start));
        OpenedEngine opened = EngineRegistry.Default.Open(kind, memory, clock ?? new HostTime());
        choice = opened.Choice;
        try
        {
            return new Guest(opened.Core, generation, start);
        }
        catch
        {
            opened.Core.Dispose();
            throw;
        }
    }

    /// <summary>Opens a channel: what opening <c>/dev/lguest</c> was. The guest is made by INITIALIZE.</summary>
    /// <param name="kind">The engine wanted.</param>
    /// <param name="memory">The guest's memory, loaded.</param>
    /// <param name="generation">The ABI that the guest speaks.</param>
    /// <param name="clock">The guest's time; null: the host's.</param>
    public static EngineChannel Open(EngineKind kind, GuestMemory memory, Generation generation, IGuestTime? clock = null) =>
        new(start => Start(kind, memory, generation, start, out _, clock));
}
