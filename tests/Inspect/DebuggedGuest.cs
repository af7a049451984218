// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Backends;
using Lguest.Devices.Bus.Dma;
using Lguest.Devices.Models;
using Lguest.Engine;
using Lguest.Engine.Debugging;
using Lguest.Engine.Hypervisor;
using Lguest.Engine.Memory;
using Lguest.GuestAbi;
using Lguest.Inspect;
using Lguest.Inspect.Target;
using Lguest.Launcher.Kernel;
using Lguest.Launcher.Memory;
using Lguest.Launcher.Options;
using Lguest.Launcher.Run;
using Lguest.Tests.Support;

namespace Lguest.Tests.Inspect;

/// <summary>A whole guest in this process, with its console on pipes, so that a test sees what the hypervisor counted.</summary>
internal static class DebuggedGuest
{
    /// <summary>Runs a kernel to its end.</summary>
    /// <param name="path">The kernel.</param>
    /// <param name="options">What looks into it.</param>
    /// <param name="engine">What runs it.</param>
    /// <param name="commandLine">Words for it.</param>
    /// <returns>What it did, and how it ended.</returns>
    public static unsafe (GuestStatistics Statistics, RunOutcome Outcome) Run(string path, DebugOptions options, EngineKind engine, string commandLine = "")
    {
        MemoryBanks banks = MemoryBanks.Parse("64m");
        KernelImage kernel = KernelLoader.Load(path, banks.Lowest.Length);
        GuestLayout layout = GuestLayout.Plan(banks, kernel, 0, 0);
        using MappedGuestMemory memory = MappedGuestMemory.Create(layout.Ranges);
        kernel.CopyTo(memory);
        LinearMap.Write(memory, layout);
        BootInformation.Write(memory, layout, BootInformation.EncodeCommandLine(commandLine, 255));
        using HostPipe input = new();
        using FileStream nowhere = new("/dev/null", FileMode.Open, FileAccess.Write);
        ConsolePort port = new(input.ReadEnd, (int)nowhere.SafeFileHandle.DangerousGetHandle(), TimeProvider.System);
        DmaBus bus = new(memory, (uint)layout.DescriptorPage);
        bus.Add(new DmaConsole(new ConsoleModel(port), kernel.Generation.Bus!.ConsoleKey));
        GuestStart start = new((uint)(layout.Top >> Page.Shift), (uint)layout.PageDirectory, kernel.Entry, kernel.PageOffset);
        using Guest guest = GuestEngine.Start(engine, memory, kernel.Generation, start, out EngineChoice choice);
        bus.Connect(guest);
        using Waker waker = new(guest, bus.Inputs);
        LaunchOptions launch = new() { Kernel = kernel.Path };
        launch.Debug.Trace = options.Trace;
        using OutputFiles outputs = OutputFiles.Open(launch);
        using DebugHub hub = new(options, outputs.ToInspect(kernel.Path, null), static _ => { }, System.Diagnostics.Stopwatch.GetTimestamp());
        hub.Begin(new DebugTarget.Running(guest, bus, new GuestPlaces(kernel.Path, (uint)layout.DescriptorPage, []), port, choice.Name, choice.ToString(), waker.RequestBreak));
        using Deadline deadline = new(waker.RequestBreak);
        RunOutcome outcome = new GuestLoop(guest, bus, port, waker, () => deadline.Passed).Run();
        deadline.Check(guest.Core.Cpu);
        hub.Finished(outcome.Words, outcome.End == RunEnd.Died);
        hub.End();
        hub.Exiting(0);
        return (guest.Statistics, outcome);
    }
}
