// SPDX-License-Identifier: GPL-2.0-or-later
using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Lguest.Devices.Backends.Share;
using Lguest.Devices.Native;
using Lguest.Launcher.Common;
using static Tmds.Linux.LibC;

namespace Lguest.Launcher.Sandbox;

/// <summary>
/// The second wall. A guest that gets out of the engine finds itself in a process that has given up everything it does not need:
/// see docs/sandbox.md for what, and for what each part of it covers. Applied once, when all is open and no instruction of the
/// guest has run; there is no way back.
/// </summary>
public static class Seal
{
    /// <summary>What the runtime reads when it likes: its own memory and the machine's. Missing ones are left out.</summary>
    private static readonly string[] s_read =
    [
        "/proc/self/statm", "/proc/self/status", "/proc/self/maps", "/proc/self/cgroup", "/proc/self/mountinfo", "/proc/meminfo",
        "/proc/stat", "/proc/cpuinfo", "/proc/sys/vm/max_map_count", "/proc/sys/vm/overcommit_memory", "/sys/devices/system/cpu/online", "/sys/devices/system/cpu/possible",
    ];

    private const string ControlGroups = "/sys/fs/cgroup";

    // [M:170+24] Should a guest get out
    // Two walls are better than one. The first is the engine: no access of the guest's leaves its window. The second is this: by
    // the time the guest runs, the process has no capabilities and cannot get any, can open no file but those in a short list, and
    // can make few system calls. A mistake in the first wall is then a mistake, and not yet a disaster.
    /// <summary>Seals the process.</summary>
    /// <param name="needs">What it must still be able to do.</param>
    /// <returns>What is in force now.</returns>
    /// <exception cref="LaunchException">The host has what is needed, and it does not work.</exception>
    internal static SealReport Apply(SealNeeds needs)
    {
        if (RuntimeInformation.ProcessArchitecture != Architecture.X64)
            return new SealReport([], ["there is none for this processor"], 0, TimeSpan.Zero);
        Stopwatch time = Stopwatch.StartNew();
        List<string> inForce = [];
        List<string> missing = [];
        try
        {
            RuntimeDiagnostics.Close();
            int threads = GiveUpRights(needs, inForce, missing);
            Privileges.HideMemory();
            inForce.Add("not dumpable");
            if (!HeldNames.Freeze())
                missing.Add("this kernel has no mseal, so names of files to be removed could be exchanged");
            Filter(needs, inForce, missing);
            return new SealReport(inForce, missing, threads, time.Elapsed);
        }
        catch (Win32Exception failure)
        {
            throw new LaunchException($"the sandbox cannot be put up: {failure.Message}; --sandbox=off runs the guest without it");
        }
    }

    /// <summary>Capabilities and files: what belongs to each thread.</summary>
    private static int GiveUpRights(SealNeeds needs, List<string> inForce, List<string> missing)
    {
        List<ThreadCall> calls = Privileges.Calls();
        inForce.Add("no new privileges");
        inForce.Add("no capabilities");
        using Landlock? landlock = Landlock.Create(out string whyNot);
        if (landlock == null)
        {
            missing.Add(whyNot);
        }
        else
        {
            AllowFiles(landlock, needs);
            calls.Add(landlock.Restrict);
            inForce.Add(string.Create(CultureInfo.InvariantCulture, $"Landlock (ABI {landlock.Abi})"));
        }

        int threads = EveryThread.Make(CollectionsMarshal.AsSpan(calls));
        if (threads > 0)
            return threads;

        // Without /proc nobody knows the other threads. This one is the guest's; the filter is for all of them.
        missing.Add("without /proc the runtime's own threads keep capabilities and files");
        foreach (ThreadCall call in calls)
        {
            long answer = SandboxCalls.Call((int)call.Number, call.A, call.B, call.C, call.D, call.E);
            if (answer < 0 && call.MayFail == 0)
                throw new Win32Exception(-(int)answer, $"system call {call.Number} failed: {Marshal.GetPInvokeErrorMessage(-(int)answer)}");
        }

        return 1;
    }

    private static void AllowFiles(Landlock landlock, SealNeeds needs)
    {
        foreach (string path in s_read)
            landlock.Allow(path, Landlock.ReadFile);

        // The list of threads is read again while they are being sealed.
        landlock.Allow(EveryThread.List, Landlock.ReadDirectory);
        landlock.Allow(ControlGroups, Landlock.ReadFile);

        // Parts of the runtime and of us that are loaded when they are first needed; a native program has all its parts.
        if (RuntimeFeature.IsDynamicCodeSupported)
        {
            landlock.Allow(AppContext.BaseDirectory, Landlock.ReadFile | Landlock.ReadDirectory);
            landlock.Allow(RuntimeEnvironment.GetRuntimeDirectory(), Landlock.ReadFile | Landlock.ReadDirectory);
        }

        foreach (string path in needs.Reads)
            landlock.Allow(path, Landlock.ReadFile);
        foreach (string path in needs.Removes)
            landlock.Allow(Path.GetDirectoryName(Path.GetFullPath(path)) ?? "/", Landlock.RemoveFile);
        foreach (string path in needs.RemovesDirectories)
            landlock.Allow(Path.GetDirectoryName(Path.GetFullPath(path)) ?? "/", Landlock.RemoveDirectory);
        foreach (SharedFolder folder in needs.Folders)
            landlock.Allow(folder.Descriptor, folder.IsReadOnly ? Landlock.ReadFile | Landlock.ReadDirectory : Landlock.Change, folder.Path);
    }

    private static void Filter(SealNeeds needs, List<string> inForce, List<string> missing)
    {
        FilterInstruction[] program = SeccompFilter.Make(needs);
        long answer = SeccompFilter.Install(program);
        switch (answer)
        {
            case 0:
                inForce.Add("system calls filtered");
                break;
            case < 0 when answer == -ENOSYS || answer == -EINVAL:
                missing.Add("this kernel cannot filter system calls");
                break;
            case < 0:
                throw new Win32Exception(-(int)answer, $"the kernel refuses the filter of system calls: {Marshal.GetPInvokeErrorMessage(-(int)answer)}");
            default:
                throw new Win32Exception(0, $"thread {answer} has a filter of system calls of its own");
        }
    }
}
