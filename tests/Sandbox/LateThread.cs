// SPDX-License-Identifier: GPL-2.0-or-later
using System.ComponentModel;
using Lguest.Launcher.Common;
using Lguest.Launcher.Sandbox;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace Lguest.Tests.Sandbox;

/// <summary>A process in which a thread cannot answer the seal's signal before the others have given up, and answers then.</summary>
internal static unsafe class LateThread
{
    private const int GetProcessId = 39;
    private const int Signal = 41;

    /// <summary>Runs in a process of its own, and says what came of it.</summary>
    public static int Run()
    {
        using ManualResetEventSlim deaf = new();
        using ManualResetEventSlim listens = new();
        Thread late = new(() =>
        {
            sigset_t signals = default;
            sigset_t before;
            sigemptyset(&signals);
            sigaddset(&signals, Signal);
            _ = sigprocmask(SIG_BLOCK, &signals, &before);
            deaf.Set();
            listens.Wait();
            _ = sigprocmask(SIG_SETMASK, &before, null);
        });
        late.Start();
        deaf.Wait();
        try
        {
            EveryThread.Make([new ThreadCall(GetProcessId, 0, 0, 0, 0, 0, 0)], TimeSpan.FromMilliseconds(200));
        }
        catch (Win32Exception refusal)
        {
            HostOutput.Write(1, refusal.Message + "\n");
        }

        listens.Set();
        late.Join();
        HostOutput.Write(1, "lived on\n");
        return 0;
    }
}
