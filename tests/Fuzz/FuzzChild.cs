// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using System.Globalization;

namespace Lguest.Tests.Fuzz;

/// <summary>The process that runs cases: one target, until the time is up, or until a case is too much for the process.</summary>
internal sealed class FuzzChild
{
    /// <summary>Finds of different kinds after which a target is left alone.</summary>
    private const int MostFinds = 10;

    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_minimizing = TimeSpan.FromSeconds(3);
    private readonly IFuzzTarget _target;
    private readonly FuzzJournal _journal;
    private readonly CaseWatch _watch;

    private FuzzChild(IFuzzTarget target, FuzzJournal journal, CaseWatch watch)
    {
        _target = target;
        _journal = journal;
        _watch = watch;
    }

    /// <summary>
    /// <c>run TARGET SEED MILLISECONDS HANG_SECONDS FOLDER JOURNAL</c>, or <c>replay TARGET HANG_SECONDS JOURNAL FILE...</c>.
    /// </summary>
    public static int Run(string[] arguments)
    {
        switch (arguments)
        {
            case ["run", string name, string seed, string time, string hang, string folder, string journal]:
                With(name, hang, journal, child => child.Search(name, Number(seed), TimeSpan.FromMilliseconds(Number(time)), folder));
                break;
            case ["replay", string name, string hang, string journal, .. string[] files]:
                With(name, hang, journal, child => child.Replay(files));
                break;
            default:
                return 2;
        }

        // What a target has left running ends here.
        FuzzProtocol.Say(FuzzProtocol.Done);
        Environment.Exit(0);
        return 0;
    }

    private static void With(string name, string hang, string journal, Action<FuzzChild> work)
    {
        FuzzTarget target = FuzzTargets.Find(name) ?? throw new ArgumentException($"there is no target {name}");
        using FuzzJournal file = new(journal);
        using CaseWatch watch = new(TimeSpan.FromSeconds(Number(hang)));
        work(new FuzzChild(target.Open(), file, watch));
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    private void Replay(string[] files)
    {
        foreach (string file in files)
        {
            (Exception? failure, _) = Try(File.ReadAllBytes(file));
            if (failure != null)
                FuzzProtocol.Say(FuzzProtocol.Find, file, $"{FindKey.Of(failure)}: {failure}");
            else
                FuzzProtocol.Say(FuzzProtocol.Progress, file);
        }
    }

    private void Search(string name, int seed, TimeSpan time, string folder)
    {
        Random random = new(seed);
        Corpus corpus = new(random);
        Mutator mutator = new(random, _target.Words, _target.LongestCase);
        HashSet<string> found = [];
        Queue<byte[]> seeds = new(_target.Seeds);
        Stopwatch clock = Stopwatch.StartNew();
        TimeSpan told = TimeSpan.Zero;
        long cases = 0;
        while (clock.Elapsed < time && found.Count < MostFinds)
        {
            if (!seeds.TryDequeue(out byte[]? bytes))
                bytes = mutator.Mutate(corpus.Pick(), corpus.Pick());
            (Exception? failure, ulong signature) = Try(bytes);
            cases++;
            if (failure == null)
                corpus.Offer(bytes, signature);
            else if (found.Add(FindKey.Of(failure)))
                Keep(name, bytes, failure, folder);
            if (clock.Elapsed - told < s_interval)
                continue;
            told = clock.Elapsed;
            Tell();
        }

        Tell();

        void Tell() => FuzzProtocol.Say(
            FuzzProtocol.Progress, cases.ToString(CultureInfo.InvariantCulture), ((long)clock.Elapsed.TotalMilliseconds).ToString(CultureInfo.InvariantCulture),
            corpus.Count.ToString(CultureInfo.InvariantCulture));
    }

    private void Keep(string name, byte[] bytes, Exception failure, string folder)
    {
        byte[] small = Minimizer.Minimize(bytes, FindKey.Of(failure), s_minimizing, candidate => Try(candidate).Failure is { } same ? FindKey.Of(same) : null);
        FuzzProtocol.Say(FuzzProtocol.Find, FuzzCases.Write(folder, name, small), $"{FindKey.Of(failure)}: {failure.Message}");
    }

    private (Exception? Failure, ulong Signature) Try(byte[] bytes)
    {
        _journal.Write(bytes);
        _watch.Begin();
        try
        {
            return (null, _target.Run(bytes));
        }
        catch (Exception failure)
        {
            return (failure, 0);
        }
        finally
        {
            _watch.End();
        }
    }
}
