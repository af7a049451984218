// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Text;
using Lguest.Launcher.Common;
using Lguest.Tests.Support;

namespace Lguest.Tests.Fuzz;

/// <summary><c>make fuzz</c>: one target after the other, each in a process of its own, and a table at the end.</summary>
internal static class FuzzProgram
{
    /// <summary>Nothing was found.</summary>
    public const int Clean = 0;

    /// <summary>Something was found.</summary>
    public const int Found = 1;

    /// <summary>The command line makes no sense.</summary>
    public const int Misused = 2;

    /// <summary>Processes that may die of one target before it is left alone.</summary>
    private const int MostDeaths = 5;

    /// <summary>Starts here.</summary>
    public static int Run(string[] arguments)
    {
        try
        {
            if (arguments is ["replay", .. string[] files] && files.Length > 0)
                return Replay(files, CaseWatch.Limit);
            return Campaign(FuzzSettings.Parse(arguments));
        }
        catch (LaunchException misuse)
        {
            Console.Error.WriteLine(misuse.Message);
            return Misused;
        }
    }

    private static int Campaign(FuzzSettings settings)
    {
        List<FuzzTarget> targets = [];
        foreach (FuzzTarget target in settings.Targets)
        {
            if (Needs.WhyNot(target.Needs) is { } why)
                Console.WriteLine($"fuzz: {target.Name} is left out: {why}");
            else
                targets.Add(target);
        }

        Console.WriteLine($"fuzz: {targets.Count} targets, {settings.Time.TotalSeconds:f0} s in all, seed {settings.Seed}");
        StringBuilder table = new();
        table.Append(CultureInfo.InvariantCulture, $"{"target",-20} {"cases/s",9} {"cases",10} {"kept",6} {"seconds",8} {"finds",6}\n");
        int finds = 0;
        long cases = 0;
        foreach (FuzzTarget target in targets)
        {
            Score score = Attack(target, settings, settings.Time / targets.Count);
            table.Append(CultureInfo.InvariantCulture, $"{target.Name,-20} {score.Cases / Math.Max(0.001, score.Time.TotalSeconds),9:f0} {score.Cases,10} {score.Kept,6} {score.Time.TotalSeconds,8:f1} {score.Finds,6}\n");
            finds += score.Finds;
            cases += score.Cases;
        }

        Console.Write(table);
        Console.WriteLine($"fuzz: {cases} cases, {finds} finds, seed {settings.Seed}");
        return finds == 0 ? Clean : Found;
    }

    private static Score Attack(FuzzTarget target, FuzzSettings settings, TimeSpan time)
    {
        Score score = new();
        string journal = Path.GetTempFileName();
        try
        {
            for (int life = 0; life < MostDeaths; life++)
            {
                TimeSpan rest = time - score.Time;
                if (life > 0 && rest <= TimeSpan.Zero)
                    break;

                // A process that died begins anew with other cases, or it would die again.
                int seed = unchecked(settings.Seed + (life * 7919)) & int.MaxValue;
                File.WriteAllBytes(journal, []);
                ChildRun run = ChildRun.Run(
                    rest + settings.Hang, "run", target.Name, Text(seed), Text((int)rest.TotalMilliseconds), Text((int)settings.Hang.TotalSeconds), settings.Folder, journal);
                score.Cases += run.Cases;
                score.Time += run.Time;
                score.Kept += run.Kept;
                foreach ((string file, string what) in run.Finds)
                    Tell(target, file, what, seed);
                score.Finds += run.Finds.Count;
                if (run.Death == null)
                    break;
                score.Finds++;
                byte[]? last = FuzzJournal.Read(journal);
                Tell(target, last == null ? "no case" : FuzzCases.Write(settings.Folder, target.Name, last), run.Death, seed);
            }
        }
        finally
        {
            File.Delete(journal);
        }

        Console.WriteLine($"fuzz: {target.Name}: {score.Cases} cases, {score.Finds} finds");
        return score;
    }

    private static void Tell(FuzzTarget target, string file, string what, int seed)
    {
        Console.WriteLine($"FIND {target.Name}: {what}");
        Console.WriteLine($"     the case is in {file}; again: make fuzz FUZZ_CASE={file}");
        Console.WriteLine($"     the run again: make fuzz FUZZ_ONLY={target.Name} FUZZ_SEED={seed}");
    }

    /// <summary>Runs cases from files again, each by itself.</summary>
    private static int Replay(string[] files, TimeSpan hang)
    {
        int status = Clean;
        string journal = Path.GetTempFileName();
        foreach (string file in files)
        {
            string target = FuzzCases.TargetOf(file) ?? throw new LaunchException($"the name of '{file}' does not begin with a target's");
            ChildRun run = ChildRun.Run(hang, "replay", target, Text((int)hang.TotalSeconds), journal, file);
            string? what = run.Death ?? run.Finds.Select(find => find.What).FirstOrDefault();
            Console.WriteLine(what == null ? $"fuzz: {file} does no harm" : $"FIND {file}: {what}");
            status = what == null ? status : Found;
        }

        File.Delete(journal);
        return status;
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private sealed class Score
    {
        public long Cases { get; set; }

        public TimeSpan Time { get; set; }

        public int Kept { get; set; }

        public int Finds { get; set; }
    }
}
