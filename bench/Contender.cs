// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Bench;

/// <summary>One way to run the workloads: a program and how it is given the words for the harness inside.</summary>
/// <param name="Name">As in tables and --engines.</param>
/// <param name="Command">Makes the command line from the words.</param>
/// <param name="Missing">Why it cannot run here, or null.</param>
public sealed record Contender(string Name, Func<string, string[]> Command, string? Missing)
{
    /// <summary>The name of the host's own processor.</summary>
    public const string Native = "native";

    /// <summary>The name of our translator.</summary>
    public const string Translator = "translator";

    /// <summary>The name of our interpreter.</summary>
    public const string Interpreter = "interpreter";

    /// <summary>The name of QEMU's translator.</summary>
    public const string Tcg = "tcg";

    /// <summary>All of them; those that are missing too, so that a table can say so.</summary>
    public static IReadOnlyList<Contender> All(Places places) =>
    [
        new(Native, words => [places.Bench("native"), .. words.Split(' ')], places.WhyNoNative()),
        Ours(places, Translator),
        Ours(places, Interpreter),
        new(Tcg, words => Qemu(places, places.Bench("multiboot"), words), places.Qemu == null ? "no qemu-system-i386 (Debian: qemu-system-x86)" : null),
    ];

    /// <summary>A PC of QEMU's with 64 MiB, whose serial port is our pipe.</summary>
    public static string[] Qemu(Places places, string kernel, string words, params string[] more) =>
    [
        places.Qemu!, "-accel", "tcg", "-m", "64", "-display", "none", "-no-reboot", "-monitor", "none", "-serial", "stdio",
        "-device", "isa-debug-exit,iobase=0xf4", "-kernel", kernel, "-append", words, .. more,
    ];

    private static Contender Ours(Places places, string engine) =>
        new(engine, words => [places.Launcher, $"--engine={engine}", "64m", places.Bench("guest"), .. words.Split(' ')], null);
}
