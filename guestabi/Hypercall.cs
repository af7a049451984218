// SPDX-License-Identifier: GPL-2.0-or-later
using System.Collections.Immutable;

namespace Lguest.GuestAbi;

/// <summary>What a call is about: traces and tables sort by it.</summary>
public enum HypercallCategory : byte
{
    /// <summary>Nothing: there is no such call.</summary>
    None,

    /// <summary>The beginning and the end of a guest.</summary>
    Life,

    /// <summary>The asynchronous ring.</summary>
    Ring,

    /// <summary>Descriptors, the kernel's stack, the FPU.</summary>
    Processor,

    /// <summary>Page tables and translations made of them.</summary>
    Paging,

    /// <summary>Gates, and sleeping until an interrupt.</summary>
    Interrupts,

    /// <summary>What time it is, and the clock's interrupt.</summary>
    Clock,

    /// <summary>Buffers of devices.</summary>
    Dma,
}

/// <summary>What one of a call's three registers holds.</summary>
public enum ArgumentKind : byte
{
    /// <summary>A number: a count, a size, a time, some bits.</summary>
    Number,

    /// <summary>An address of the guest's physical memory.</summary>
    Physical,

    /// <summary>An address as the guest's code sees it.</summary>
    Virtual,

    /// <summary>A number of a gate.</summary>
    Vector,

    /// <summary>A segment selector.</summary>
    Selector,

    /// <summary>A page table entry, or half a descriptor.</summary>
    Entry,
}

/// <summary>One argument of a call.</summary>
/// <param name="Name">As traces and the monitor print it.</param>
/// <param name="Kind">What it holds.</param>
public readonly record struct HypercallArgument(string Name, ArgumentKind Kind);

/// <summary>What is known of one call: a line of <see cref="HypercallTable"/>.</summary>
/// <param name="Kind">Its meaning.</param>
/// <param name="Name">As the kernel's sources have it, without the prefix LHCALL_.</param>
/// <param name="Category">What it is about.</param>
public sealed record Hypercall(HypercallKind Kind, string Name, HypercallCategory Category)
{
    /// <summary>The arguments, in their order; a call has at most three. What is not here may be stale.</summary>
    public ImmutableArray<HypercallArgument> Arguments { get; init; } = [];

    /// <summary>Whether %eax has a result after the call; others leave their number there.</summary>
    public bool HasResult { get; init; }

    /// <summary>Whether kernels leave it in the ring while nobody needs its effect. The host carries out there whatever it finds.</summary>
    public bool MayStandInRing { get; init; }

    /// <summary>The call with its arguments, as <c>SET_PTE(directory=0x..., address=0x..., entry=0x...)</c>.</summary>
    public string Describe(in GuestCall call)
    {
        string[] texts = new string[Arguments.Length];
        for (int i = 0; i < texts.Length; i++)
            texts[i] = $"{Arguments[i].Name}=0x{call.Argument(i):x}";
        string name = Kind == HypercallKind.None ? $"hypercall {call.Number}" : Name;
        return $"{name}({string.Join(", ", texts)})";
    }

    /// <inheritdoc/>
    public override string ToString() => Name;
}
