// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Bench;

/// <summary>What to measure, from the command line.</summary>
public sealed class BenchOptions
{
    /// <summary>For whoever asks, or mistypes.</summary>
    public const string Usage = """
        make bench BENCH="OPTIONS"
          network [A,B]     only the networks, of translator, interpreter, tcg; takes a network of its own: unshare -r -n make ...
          observing         what looking into a guest costs, alone
          start             how fast and how small things begin, alone; a real kernel's boot too
          --only A,B        these workloads (default: all)
          --engines A,B     among native, translator, interpreter, tcg (default: all)
          --rounds N        rounds, interleaved (default: 7)
          --no-observing    leave out what looking into a guest costs; so does any other choice of what to measure
          --samples N       samples of a workload within a round (default: 40)
          --no-startup      leave out start-up, memory and the boot of a real kernel
          --no-networks     leave out the networks
          --output FILE     write the report here (default: out/performance.md; with any choice above, nowhere)
          --write           write it to docs/performance.md, above what people wrote there
        After the first round it says how long the others take.
        With LGUEST_TEST_KERNEL (a 2.6.23 vmlinux) and LGUEST_TEST_INITRD set, a real kernel is booted as well; its bzImage, for
        QEMU, is looked for beside the vmlinux, or where LGUEST_TEST_BZIMAGE says. What tells that user space is reached is the
        text LGUEST_TEST_MARK, else "INITRD-UP".
        """;

    /// <summary>Rounds, unless said otherwise.</summary>
    public const int UsualRounds = 7;

    /// <summary>The names behind --only, or null.</summary>
    public string? Only { get; private set; }

    /// <summary>The names behind --engines, or null.</summary>
    public string[]? Engines { get; private set; }

    /// <summary>How many rounds.</summary>
    public int Rounds { get; private set; } = UsualRounds;

    /// <summary>How many samples of each workload in a round.</summary>
    public int Samples { get; private set; } = 40;

    /// <summary>Whether to measure start-up, memory and boots.</summary>
    public bool StartUp { get; private set; } = true;

    /// <summary>Whether to measure what looking into a guest costs.</summary>
    public bool Observing { get; private set; } = true;

    /// <summary>Whether to measure networks.</summary>
    public bool Networks { get; private set; } = true;

    /// <summary>Where the report goes, or null.</summary>
    public string? Output { get; private set; }

    /// <summary>Reads the command line; ArgumentException tells what is wrong with it.</summary>
    /// <param name="arguments">What was written.</param>
    /// <param name="report">Where a report of everything goes.</param>
    /// <param name="page">The page of the documentation.</param>
    public static BenchOptions Parse(string[] arguments, string report, string page)
    {
        BenchOptions options = new();
        bool partial = false;
        for (int i = 0; i < arguments.Length; i++)
        {
            string name = arguments[i];
            string Value() => ++i < arguments.Length ? arguments[i] : throw new ArgumentException($"{name} wants a value");
            switch (name)
            {
                case "--write":
                    options.Output = page;
                    break;
                case "--only":
                    options.Only = Value();
                    options.Networks = false;
                    partial = true;
                    break;
                case "--engines":
                    options.Engines = Value().Split(',');
                    partial = true;
                    break;
                case "--rounds":
                    options.Rounds = Number(name, Value());
                    break;
                case "--samples":
                    options.Samples = Number(name, Value());
                    break;
                case "--no-startup":
                    options.StartUp = false;
                    partial = true;
                    break;
                case "--no-observing":
                    partial = true;
                    break;
                case "--no-networks":
                    options.Networks = false;
                    partial = true;
                    break;
                case "--output":
                    options.Output = Value();
                    break;
                default:
                    throw new ArgumentException($"what is {name}?");
            }
        }

        if (partial)
            options.Observing = false;
        else
            options.Output ??= report;
        return options;
    }

    private static int Number(string name, string value) =>
        int.TryParse(value, out int number) && number is > 0 and <= 200 ? number : throw new ArgumentException($"{name} wants a number from 1 to 200");
}
