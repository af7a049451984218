// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using Mono.Unix.Native;

namespace Lguest.Tests.Fuzz;

/// <summary>Ends this process when a case runs for too long or takes too much memory; the parent takes the case from the journal.</summary>
internal sealed class CaseWatch : IDisposable
{
    /// <summary>Far more than any case takes on a loaded machine.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    private const long MostMemory = 1L << 30;
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(100);
    private readonly TimeSpan _limit;
    private readonly ManualResetEventSlim _over = new();
    private readonly Thread _thread;
    private long _since;

    public CaseWatch(TimeSpan limit)
    {
        _limit = limit;
        _thread = new Thread(Look) { IsBackground = true, Name = "watches cases" };
        _thread.Start();
    }

    /// <summary>A case begins.</summary>
    public void Begin() => Volatile.Write(ref _since, Stopwatch.GetTimestamp());

    /// <summary>It has ended.</summary>
    public void End() => Volatile.Write(ref _since, 0);

    public void Dispose()
    {
        _over.Set();
        _thread.Join();
        _over.Dispose();
    }

    private void Look()
    {
        while (!_over.Wait(s_interval))
        {
            long since = Volatile.Read(ref _since);
            if (since != 0 && Stopwatch.GetElapsedTime(since) > _limit)
                Kill($"it runs for more than {_limit.TotalSeconds:f0} seconds");
            if (Environment.WorkingSet > MostMemory)
                Kill($"the process has taken more than {MostMemory >> 20} MiB");
        }
    }

    private static void Kill(string why)
    {
        FuzzProtocol.Say(FuzzProtocol.Killed, why);
        _ = Syscall.kill(Environment.ProcessId, Signum.SIGKILL);
    }
}
