// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Tests.Architecture;

namespace Lguest.Tests.Tour;

/// <summary>A stop of the tour: a marked comment, and some of the code that it stands at.</summary>
/// <param name="Chapter">The chapter's letter.</param>
/// <param name="Number">Its place in the chapter.</param>
/// <param name="Title">What the marker's line says after the marker.</param>
/// <param name="File">The file that has it.</param>
/// <param name="Line">The marker's line, from 1.</param>
/// <param name="Symbol">The member, function or label that it belongs to; null: the file as a whole.</param>
/// <param name="Paragraphs">The comment's text.</param>
/// <param name="Code">The lines that the marker asks for, without their common indentation.</param>
internal sealed record TourStop(
    char Chapter, int Number, string Title, SourceFile File, int Line, string? Symbol, IReadOnlyList<string> Paragraphs, IReadOnlyList<string> Code)
{
    /// <summary>How the story and its readers name it: <c>H:120</c>.</summary>
    public string Name => $"{Chapter}:{Number}";

    /// <summary>How a message names its place.</summary>
    public string Place => $"{File.Path}:{Line}";
}

/// <summary>A chapter of the tour.</summary>
/// <param name="Letter">With which its markers begin.</param>
/// <param name="Title">Its heading.</param>
/// <param name="Opening">What a reader should know before the first stop.</param>
internal sealed record TourChapter(char Letter, string Title, string Opening)
{
    /// <summary>Ways through the tour for who has ten minutes.</summary>
    public const string Threads = "With ten minutes only, follow one thread: a word on its way to your terminal ([G:200], [H:230], [L:220], [D:120], [D:150]); "
        + "a system call of a program, there and back ([H:220], [H:210], [G:190], [G:180], [I:250]); or a page table entry that the guest has changed "
        + "([G:150], [H:190], [T:240], [I:190]).";

    /// <summary>The chapters, in the order of reading.</summary>
    public static IReadOnlyList<TourChapter> All { get; } =
    [
        new('P', "Preparation", "Before anything runs: the few facts on which guest and host have agreed. They are in `guestabi/`, which knows nothing else, and on paper in [abi.md](abi.md)."),
        new('G', "Guest", "The other side of the bargain. A guest kernel cannot do what a kernel does on bare hardware, and knows it: where Linux would touch the hardware, it asks. `guest/lib` is the smallest kernel that does so; everything that Linux 2.6.23 does differently when it runs under lguest is here in a few pages of C."),
        new('L', "Launcher", "A user types `lguest 64m vmlinux --block=disk`. The launcher is an ordinary program without any privilege: it puts a kernel into memory, makes the devices, and then does little but wait."),
        new('D', "Devices", "A guest has no hardware. Instead it has a page that lists its devices, and one call to send memory somewhere."),
        new('H', "Hypervisor", "What `lg.ko` was: the side of the bargain that decides what a hypercall means, when an interrupt comes, and when a guest has gone too far. It never looks at an instruction."),
        new('I', "Interpreter", "Somebody has to run the guest's instructions. The interpreter does so one by one. It is the engine to read first, and the one that the other is measured against."),
        new('T', "Translator", "Guest and host speak nearly the same machine language, so most guest code can run as it is, if it is kept from touching anything that is not the guest's. This is the fast engine, and the hardest part of the house."),
        new('M', "Mastery", "What you need to know before you change something, and how to find out that you were wrong."),
    ];
}
