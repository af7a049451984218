// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using System.Globalization;
using Lguest.Tests.Support;

namespace Lguest.Tests.Fuzz;

/// <summary>A process that runs cases, from the outside: what it said, and what became of it.</summary>
internal sealed class ChildRun
{
    private const int KeptWords = 12;

    /// <summary>Starting the runtime on a loaded machine, and the target's own preparations.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private readonly Queue<string> _lastWords = new();

    private ChildRun()
    {
    }

    /// <summary>Cases that were run.</summary>
    public long Cases { get; private set; }

    /// <summary>Time that it took, without the process's own start.</summary>
    public TimeSpan Time { get; private set; }

    /// <summary>Cases that did something new.</summary>
    public int Kept { get; private set; }

    /// <summary>Finds: where, and what.</summary>
    public List<(string File, string What)> Finds { get; } = [];

    /// <summary>Files that were replayed without a find.</summary>
    public List<string> Good { get; } = [];

    /// <summary>What became of it; null: it ended as it should.</summary>
    public string? Death { get; private set; }

    /// <summary>Runs it to its end.</summary>
    /// <param name="limit">How long it may take, besides its start.</param>
    /// <param name="arguments">For <see cref="FuzzChild"/>.</param>
    public static ChildRun Run(TimeSpan limit, params string[] arguments)
    {
        ChildRun run = new();
        using Process process = ChildProgram.Start([nameof(FuzzChild), .. arguments]);
        string? killed = null;
        bool done = false;
        process.StandardInput.Close();
        process.ErrorDataReceived += (_, line) => run.Hear(line.Data);
        process.BeginErrorReadLine();
        using Timer timer = new(_ => process.Kill(), null, limit + s_patience, Timeout.InfiniteTimeSpan);
        while (process.StandardOutput.ReadLine() is { } line)
        {
            if (!FuzzProtocol.TryParse(line, out string[] words))
                continue;
            switch (words)
            {
                case [FuzzProtocol.Progress, string cases, string milliseconds, string kept]:
                    run.Cases = long.Parse(cases, CultureInfo.InvariantCulture);
                    run.Time = TimeSpan.FromMilliseconds(long.Parse(milliseconds, CultureInfo.InvariantCulture));
                    run.Kept = int.Parse(kept, CultureInfo.InvariantCulture);
                    break;
                case [FuzzProtocol.Progress, string file]:
                    run.Good.Add(file);
                    break;
                case [FuzzProtocol.Find, string file, string what]:
                    run.Finds.Add((file, what));
                    break;
                case [FuzzProtocol.Killed, string why]:
                    killed = why;
                    break;
                case [FuzzProtocol.Done, ..]:
                    done = true;
                    break;
            }
        }

        process.WaitForExit();
        if (!done)
            run.Death = killed ?? $"the process ended with status {process.ExitCode}: {string.Join(" | ", run.Words())}";
        return run;
    }

    private void Hear(string? line)
    {
        if (string.IsNullOrWhiteSpace(line))
            return;
        lock (_lastWords)
        {
            // The first lines of a crash say what it was, the last ones where.
            if (_lastWords.Count == KeptWords)
                _lastWords.Dequeue();
            _lastWords.Enqueue(line.Trim());
        }
    }

    private string[] Words()
    {
        lock (_lastWords)
            return [.. _lastWords];
    }
}
