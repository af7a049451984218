// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Inspect.Common;

namespace Lguest.Inspect.Trace;

/// <summary>What can be traced.</summary>
[Flags]
public enum TraceCategories
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>Hypercalls made with <c>int $0x1F</c>.</summary>
    Hypercalls = 0x001,

    /// <summary>Hypercalls from the ring.</summary>
    Async = 0x002,

    /// <summary>Irqs raised and delivered, and sleep.</summary>
    Interrupts = 0x004,

    /// <summary>Traps, faults and system calls.</summary>
    Traps = 0x008,

    /// <summary>Page faults, and the hypercalls about page tables, whether or not those are traced too.</summary>
    Mmu = 0x010,

    /// <summary>Buffers bound, sent and taken, with their sections.</summary>
    Dma = 0x020,

    /// <summary>Disk requests and their results.</summary>
    Block = 0x040,

    /// <summary>Packets.</summary>
    Net = 0x080,

    /// <summary>What the guest says.</summary>
    Console = 0x100,

    /// <summary>Accesses to the registers of devices, and by ports to their configuration.</summary>
    Access = 0x200,

    /// <summary>Every instruction, disassembled. Slow.</summary>
    Exec = 0x400,

    /// <summary>All but the instructions.</summary>
    All = Exec - 1,
}

/// <summary>What <c>--trace</c> asks for.</summary>
/// <param name="Categories">Which events.</param>
/// <param name="File">Where they go; null: standard error.</param>
/// <param name="Json">One JSON object a line, not text.</param>
public sealed record TraceRequest(TraceCategories Categories, string? File, bool Json)
{
    /// <summary>The words that a list is made of.</summary>
    public static IReadOnlyList<string> Names { get; } =
        ["hypercalls", "async", "interrupts", "traps", "mmu", "dma", "block", "net", "console", "access", "exec"];

    /// <summary>Understands <c>LIST[,file=PATH][,format=json]</c>; the list <c>off</c> only opens the file, for <c>lguest ctl</c>.</summary>
    /// <exception cref="InspectException">It makes no sense.</exception>
    public static TraceRequest Parse(string text)
    {
        TraceCategories categories = TraceCategories.None;
        string? file = null;
        bool json = false;
        bool off = false;
        foreach (string word in text.Split(','))
        {
            if (word.StartsWith("file=", StringComparison.Ordinal) && word.Length > 5)
                file = word[5..];
            else if (word is "format=json" or "format=text")
                json = word == "format=json";
            else if (word.StartsWith("format=", StringComparison.Ordinal))
                throw new InspectException($"--trace: there is no {word}; format=text (the default) and format=json are");
            else if (word == "file=")
                throw new InspectException("--trace: file= needs the name of a file: file=PATH");
            else if (word == "off")
                off = true;
            else
                categories |= ParseCategory(word) ?? throw new InspectException($"--trace: there is no '{word}' to trace; give a list of {string.Join(", ", Names)} or all, then file=PATH and format=json if you like");
        }

        if (categories == TraceCategories.None && !(off && file != null))
            throw new InspectException($"--trace={text} says nothing to trace; give a list of {string.Join(", ", Names)} or all");
        return new TraceRequest(categories, file, json);
    }

    /// <summary>One word of a list; null when it is none.</summary>
    public static TraceCategories? ParseCategory(string word)
    {
        for (int i = 0; i < Names.Count; i++)
        {
            if (Names[i] == word)
                return (TraceCategories)(1 << i);
        }

        return word == "all" ? TraceCategories.All : null;
    }
}
