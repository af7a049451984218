// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Lguest.Tests.EngineParts.Signals;

/// <summary>
/// The runtime's own faults, and the collections for which it stops all threads, beside guests that do little but fault: for a
/// second, as fast as they come. Each fault must be the exception that it is, thrown where it was made and with what the thread
/// held; and the guests' sums must be right.
/// </summary>
internal static class FaultStorm
{
    private const uint GuestRounds = 4;
    private const long FewestFaults = 1_000;
    private const long FewestCollections = 20;
    private static readonly TimeSpan s_length = TimeSpan.FromSeconds(1);

    /// <summary>Runs it.</summary>
    /// <param name="wrong">Gets what was not as it should be.</param>
    public static void Run(List<string> wrong)
    {
        bool over = false;
        long faults = 0;
        long collections = 0;
        Thread[] runtimes =
        [
            Start(() => Interlocked.Add(ref faults, Faults(2))),
            Start(() => Interlocked.Add(ref faults, Faults(40))),
            Start(() =>
            {
                GC.Collect(collections % 8 == 0 ? 2 : 0);
                collections++;
                Thread.Yield();
            }),
        ];
        Stopwatch clock = Stopwatch.StartNew();

        // At least so long, and until all have had their share, on however busy a machine.
        Thread[] guests = [.. Enumerable.Range(0, 2).Select(_ => new Thread(() => Check(() =>
        {
            do
                ScatteredPages.Sum(GuestRounds);
            while (clock.Elapsed < s_length || (Interlocked.Read(ref faults) < FewestFaults && Thriving()));
        })))];
        Array.ForEach(guests, guest => guest.Start());
        Array.ForEach(guests, guest => guest.Join());
        Volatile.Write(ref over, true);
        Array.ForEach(runtimes, runtime => runtime.Join());
        if (faults < FewestFaults || collections < FewestCollections)
            wrong.Add($"only {faults} faults and {collections} collections");

        bool Thriving() => Array.TrueForAll(runtimes, runtime => runtime.IsAlive);

        Thread Start(Action round)
        {
            Thread thread = new(() => Check(() =>
            {
                while (!Volatile.Read(ref over))
                    round();
            }));
            thread.Start();
            return thread;
        }

        void Check(Action action)
        {
            try
            {
                action();
            }
            catch (Exception e)
            {
                lock (wrong)
                    wrong.Add(e.ToString());
            }
        }
    }

    /// <summary>One of each kind, so many calls deep, with objects held across it that a collection may move.</summary>
    private static int Faults(int depth)
    {
        object held = new();
        int[] kept = [depth, depth + 1];
        string text = $"{depth}";
        (Type Kind, Action Fault)[] kinds =
        [
            (typeof(NullReferenceException), () => Read(null)),
            (typeof(NullReferenceException), () => Write(null, held)),
            (typeof(NullReferenceException), () => Call(null)),
            (typeof(DivideByZeroException), () => Divide(kept[0], 0)),
        ];
        foreach ((Type kind, Action fault) in kinds)
        {
            bool left = false;
            try
            {
                Deep(depth, fault, ref left);
                throw new InvalidOperationException($"no {kind.Name}");
            }
            catch (Exception e) when (e.GetType() == kind)
            {
            }

            if (!left || kept[1] != depth + 1 || text != depth.ToString(System.Globalization.CultureInfo.InvariantCulture) || held.GetType() != typeof(object))
                throw new InvalidOperationException("a thread has lost what it held");
        }

        return kinds.Length;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Deep(int depth, Action fault, ref bool left)
    {
        byte[] garbage = new byte[depth];
        try
        {
            if (depth == 0)
                fault();
            else
                Deep(depth - 1, fault, ref left);
        }
        finally
        {
            left = garbage.Length == depth;
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Read(Cell? cell) => cell!.Number;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Write(Cell? cell, object value) => cell!.Value = value;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static string? Call(object? value) => value!.ToString();

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Divide(int number, int by) => number / by;

    private sealed class Cell
    {
        public int Number { get; set; }

        public object? Value { get; set; }
    }
}
