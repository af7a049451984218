// SPDX-License-Identifier: GPL-2.0-or-later
using System.ComponentModel;
using Lguest.Engine.Check;
using Lguest.Engine.Cpu;
using Lguest.Engine.Interpreter;
using Lguest.Engine.Translator;
using Lguest.GuestAbi;

namespace Lguest.Engine;

/// <summary>An engine cannot run a guest on this host, now. The message names the engine and the reason.</summary>
/// <param name="engine">Its name.</param>
/// <param name="reason">What is missing or was refused, as the end of a sentence.</param>
/// <param name="cause">What the attempt to open it ended with; null when none was made.</param>
public sealed class EngineUnavailableException(string engine, string reason, Exception? cause = null)
    : Exception($"the engine '{engine}' is not available here: {reason}", cause);

/// <summary>An engine that guests can be given.</summary>
/// <param name="Kind">How code names it.</param>
/// <param name="Name">How users name it.</param>
/// <param name="WhyNot">What this host lacks to run it; null: nothing.</param>
/// <param name="Make">Makes a processor at rest for the calling thread, or throws what the host answered, with nothing left over.</param>
public sealed record EngineEntry(EngineKind Kind, string Name, Func<string?> WhyNot, Func<GuestMemory, DescriptorTable, IGuestTime, ExecutionCore> Make)
{
    /// <summary>A few words for the help; empty: the name says enough.</summary>
    public string Remark { get; init; } = string.Empty;

    /// <summary>Makes a processor at rest, which belongs to the calling thread.</summary>
    /// <exception cref="EngineUnavailableException">This host cannot run it, or refuses what it needs.</exception>
    public ExecutionCore Open(GuestMemory memory, DescriptorTable gdt, IGuestTime clock)
    {
        if (WhyNot() is { } reason)
            throw new EngineUnavailableException(Name, reason);
        try
        {
            return Make(memory, gdt, clock);
        }
        catch (Exception refused) when (refused is Win32Exception or PlatformNotSupportedException or InvalidOperationException or OutOfMemoryException)
        {
            throw new EngineUnavailableException(Name, refused.Message, refused);
        }
    }
}

/// <summary>Which engine a guest got.</summary>
/// <param name="Name">The engine's name.</param>
/// <param name="IsAutomatic">Whether nobody asked for it by name.</param>
/// <param name="Refused">The engines that would have come before it, each with its reason, as sentences.</param>
public sealed record EngineChoice(string Name, bool IsAutomatic, IReadOnlyList<string> Refused)
{
    /// <summary>What users are shown: <c>interpreter</c>, or <c>translator (auto)</c>.</summary>
    public override string ToString() => IsAutomatic ? $"{Name} (auto)" : Name;
}

/// <summary>A processor that was made, and why this one.</summary>
/// <param name="Core">The processor.</param>
/// <param name="Choice">Why.</param>
public sealed record OpenedEngine(ExecutionCore Core, EngineChoice Choice);

// [H:110] Which engine?
// What runs the guest's instructions is not the hypervisor's business: it has an ExecutionCore, and there are several kinds. Each
// knows what it needs of the host, and says so when it does not get it. Whether a host allows what the translator needs
// (executable mappings, much address space) only trying shows, so "auto" is the first that opens.
/// <summary>
/// The engines there are. Each knows what it needs of the host, and says so when it does not get it. <see cref="EngineKind.Auto"/> is
/// the first that opens: whether the host allows what an engine needs (executable mappings, much address space) only trying shows.
/// </summary>
/// <param name="entries">The engines.</param>
/// <param name="preferred">Those that are tried when none is named, the best first.</param>
public sealed class EngineRegistry(IReadOnlyList<EngineEntry> entries, IReadOnlyList<EngineKind> preferred)
{
    /// <summary>The engines of this program.</summary>
    public static EngineRegistry Default { get; } = new(
        [
            new(EngineKind.Translator, "translator", () => TranslatorNeeds(TranslatorCore.WhyNotSupported), (memory, gdt, clock) => new TranslatorCore(memory, gdt, clock)) { Remark = "x86-64 Linux" },
            new(EngineKind.Interpreter, "interpreter", () => null, (memory, gdt, clock) => new InterpreterCore(memory, gdt, clock)),
            new(EngineKind.Check, "check", () => TranslatorNeeds(TranslatorCore.WhyNotSupported), (memory, gdt, clock) => new CheckCore(memory, gdt, clock)) { Remark = "both, compared" },
        ],
        [EngineKind.Translator, EngineKind.Interpreter]);

    /// <summary>The engines, in the order in which users are told of them.</summary>
    public IReadOnlyList<EngineEntry> Entries => entries;

    /// <summary>Makes a processor at rest, which belongs to the calling thread.</summary>
    /// <param name="kind">The engine wanted.</param>
    /// <param name="memory">The guest's memory.</param>
    /// <param name="clock">The guest's time.</param>
    /// <exception cref="EngineUnavailableException">The engine that was named cannot run here; or none can.</exception>
    public OpenedEngine Open(EngineKind kind, GuestMemory memory, IGuestTime clock)
    {
        if (kind != EngineKind.Auto)
        {
            EngineEntry named = Find(kind);
            return new OpenedEngine(named.Open(memory, new DescriptorTable(), clock), new EngineChoice(named.Name, IsAutomatic: false, []));
        }

        List<string> refused = [];
        EngineUnavailableException? last = null;
        foreach (EngineKind candidate in preferred)
        {
            EngineEntry entry = Find(candidate);
            try
            {
                return new OpenedEngine(entry.Open(memory, new DescriptorTable(), clock), new EngineChoice(entry.Name, IsAutomatic: true, refused));
            }
            catch (EngineUnavailableException reason)
            {
                refused.Add(reason.Message);
                last = reason;
            }
        }

        throw last ?? throw new InvalidOperationException("there is no engine");
    }

    private EngineEntry Find(EngineKind kind) =>
        entries.FirstOrDefault(entry => entry.Kind == kind) ?? throw new ArgumentOutOfRangeException(nameof(kind), kind, "there is no such engine");

    private static string? TranslatorNeeds(string? what) => what is null ? null : $"it needs {what}";
}
