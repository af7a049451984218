// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using System.Text;

namespace Lguest.Bench;

/// <summary>
/// `make bench`: the same workloads natively, under our engines and under QEMU's translator, turn by turn, and a page with what
/// came of it.
/// </summary>
public static class Program
{
    /// <summary>Starts here.</summary>
    public static int Main(string[] arguments)
    {
        if (arguments.Contains("--help"))
        {
            Console.WriteLine(BenchOptions.Usage);
            return 0;
        }

        try
        {
            Places places = new();
            if (arguments is ["network", ..])
            {
                string[] all = [Contender.Translator, Contender.Interpreter, Contender.Tcg];
                Console.Write(NetworkBench.Run(places, arguments.Length > 1 ? arguments[1].Split(',') : all));
                return 0;
            }

            if (arguments is ["observing"])
            {
                Observe(places);
                return 0;
            }

            if (arguments is ["start"])
            {
                Start(places);
                return 0;
            }

            Run(places, BenchOptions.Parse(arguments, places.Report, places.Page));
            return 0;
        }
        catch (Exception failure) when (failure is ArgumentException or BenchException)
        {
            Console.Error.WriteLine($"bench: {failure.Message}");
            return 1;
        }
    }

    private static void Observe(Places places)
    {
        ObservingCost observing = new(places);
        for (int round = 1; round <= BenchOptions.UsualRounds; round++)
        {
            Console.Error.WriteLine($"bench: round {round} of {BenchOptions.UsualRounds}");
            observing.Round();
        }

        StringBuilder tables = new();
        observing.Append(tables);
        Console.Write(tables);
    }

    private static void Start(Places places)
    {
        StartUp startUp = new(places);
        QuickStart quick = new(places);
        if (startUp.WhyNoLinuxTcg is { } why)
            Console.Error.WriteLine($"bench: SKIPPED the boot of a real kernel: {why}");
        for (int round = 1; round <= BenchOptions.UsualRounds; round++)
        {
            Console.Error.WriteLine($"bench: round {round} of {BenchOptions.UsualRounds}");
            quick.Round();
            startUp.Round();
        }

        Print(new Measurements(), startUp, quick);
    }

    private static void Print(Measurements measured, StartUp startUp, QuickStart quick)
    {
        foreach (Promise promise in Promise.All(measured, startUp, quick).Where(p => p.Value != null))
            Console.WriteLine($"{(promise.Value <= promise.Limit ? "reached    " : "NOT REACHED")} {promise.Text}: {promise.Value:0.00} {promise.Unit}, promised {promise.Limit:0.00}");
        foreach ((string name, double time) in startUp.Times)
            Console.WriteLine($"{name}: {time:0.0} ms{(startUp.ProcessorTimes.TryGetValue(name, out double processor) ? $", of them {processor:0.0} ms on a processor" : string.Empty)}");
    }

    private static void Run(Places places, BenchOptions options)
    {
        IReadOnlyList<Contender> contenders = [.. Contender.All(places).Where(c => options.Engines?.Contains(c.Name) ?? true)];
        foreach (Contender contender in contenders.Where(c => c.Missing != null))
            Console.Error.WriteLine($"bench: SKIPPED {contender.Name}: {contender.Missing}");

        Measurements measured = new();
        StartUp startUp = new(places);
        QuickStart quick = new(places);
        Stopwatch clock = Stopwatch.StartNew();
        ObservingCost? observing = options.Observing ? new ObservingCost(places) : null;
        if (options.StartUp && startUp.WhyNoLinuxTcg is { } why)
            Console.Error.WriteLine($"bench: SKIPPED the boot of a real kernel: {why}");
        string only = options.Only == null ? string.Empty : $" only={options.Only}";
        for (int round = 1; round <= options.Rounds; round++)
        {
            Console.Error.WriteLine($"bench: round {round} of {options.Rounds}");
            foreach (Contender contender in contenders.Where(c => c.Missing == null))
            {
                // The interpreter's samples are long, and nobody waits for its last percent.
                int samples = contender.Name == Contender.Interpreter ? 1 + options.Samples / 8 : options.Samples;
                using Child child = new(contender.Command($"samples={samples}{only}"));
                child.WaitForEnd();
                measured.Add(contender.Name, child.Output);
            }

            if (options.StartUp)
            {
                quick.Round();
                startUp.Round();
            }

            observing?.Round();
            if (round == 1 && options.Rounds > 1)
                Console.Error.WriteLine($"bench: the other rounds will take {TimeSpan.FromSeconds(clock.Elapsed.TotalSeconds * (options.Rounds - 1)):m' min 's' s'}{(options.Networks ? ", then come the networks" : string.Empty)}");
        }

        string? networks = options.Networks ? NetworkBench.InOwnNetwork(places, [.. contenders.Where(c => c.Missing == null && c.Name != Contender.Native).Select(c => c.Name)]) : null;
        Console.Write(Report.Table(measured));
        Console.Write(networks);
        Print(measured, startUp, quick);
        if (observing != null)
        {
            StringBuilder tables = new();
            observing.Append(tables);
            Console.Write(tables);
        }

        if (options.Output is { } file)
        {
            string page = Report.Page(places, options, contenders, measured, startUp, quick, networks, observing);
            File.WriteAllText(file, Report.Renew(File.Exists(file) ? File.ReadAllText(file) : null, page));
            Console.Error.WriteLine($"bench: {file} is written");
        }
    }
}
