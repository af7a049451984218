// SPDX-License-Identifier: GPL-2.0-or-later
using System.ComponentModel;
using Lguest.Devices;
using Lguest.Devices.Backends;
using Lguest.Devices.Bus;
using Lguest.Engine;
using Lguest.Engine.Check;
using Lguest.Engine.Hypervisor;
using Lguest.Engine.Memory;
using Lguest.GuestAbi;
using Lguest.Inspect;
using Lguest.Inspect.Target;
using Lguest.Launcher.Common;
using Lguest.Launcher.Kernel;
using Lguest.Launcher.Memory;
using Lguest.Launcher.Options;

namespace Lguest.Launcher.Run;

/// <summary>What a guest is made of, and one life of it: what belongs to the host is given, what belongs to the guest is made in <see cref="Run"/>.</summary>
internal sealed class GuestLife
{
    /// <summary>The command line.</summary>
    public required LaunchOptions Options { get; init; }

    /// <summary>The kernel.</summary>
    public required KernelImage Kernel { get; init; }

    /// <summary>Who lives where.</summary>
    public required GuestLayout Layout { get; init; }

    /// <summary>The same for whoever looks into the guest.</summary>
    public required GuestPlaces Places { get; init; }

    /// <summary>The words for the kernel, as bytes.</summary>
    public required byte[] CommandLine { get; init; }

    /// <summary>The initial RAM disk; empty: none.</summary>
    public required byte[] Initrd { get; init; }

    /// <summary>The host's side of the devices.</summary>
    public required GuestDevices Devices { get; init; }

    /// <summary>The host's side of the networks.</summary>
    public required GuestNetworks Networks { get; init; }

    /// <summary>The host's side of the console.</summary>
    public required ConsolePort Console { get; init; }

    /// <summary>What looks into the guest.</summary>
    public required DebugHub Debug { get; init; }

    /// <summary>Hears what only a developer wants to know.</summary>
    public required Complaints Complaints { get; init; }

    /// <summary>Where the launcher's own sentences go.</summary>
    public required Action<string> Say { get; init; }

    // [L:210+27] One life of a guest
    // In order: memory, the kernel in it, page tables, boot information, devices, an engine; then the guest exists, and has not
    // run. Everything that belongs to the host (the disks and their locks, the terminal) is older than this, and is still there
    // when the guest restarts and comes here again.
    /// <summary>Makes a guest and runs it until it ends or restarts.</summary>
    /// <param name="signals">Who may want it to end.</param>
    /// <param name="seal">Called when all is open, before the guest's first instruction.</param>
    /// <exception cref="LaunchException">The host cannot run it.</exception>
    public RunOutcome Run(StopSignals signals, Action seal)
    {
        using GuestMemory memory = MakeMemory();
        Kernel.CopyTo(memory);
        if (Layout.HasTables)
            LinearMap.Write(memory, Layout);
        BootInformation.Write(memory, Layout, CommandLine);
        if (Initrd.Length > 0)
            Initrd.CopyTo(memory.Write((uint)Layout.InitrdAddress, (uint)Initrd.Length));

        IGuestBus bus = GuestBuses.Make(this, memory);
        if (Options.Verbose)
            Say(MemoryMapDrawing.Draw(Layout, bus.Devices));

        using Guest guest = Start(memory, out EngineChoice engine);
        guest.Devices = bus.Space;
        bus.Connect(guest);
        Networks.Introduce();
        using Waker waker = new(guest, bus.Inputs);
        signals.OnStop(waker.RequestBreak);
        try
        {
            seal();
            Debug.Begin(new DebugTarget.Running(guest, bus, Places, Console, engine.Name, engine.ToString(), waker.RequestBreak));
            using EndOfInput? end = Options.PowerOffAtEndOfInput ? new EndOfInput(guest, Console, waker.RequestBreak) : null;
            bool MustStop() => signals.Status != 0 || end?.IsFinished() == true;
            RunOutcome outcome = new GuestLoop(guest, bus, Console, waker, MustStop, guest.WaitToWrite).Run();
            Debug.Finished(outcome.Words, outcome.End == RunEnd.Died);
            if (Options.Verbose && guest.Core is CheckCore check)
                Say(check.Summary);
            return outcome;
        }
        finally
        {
            Debug.End();
            signals.OnStop(null);
        }
    }

    /// <summary>Gives the guest to an engine.</summary>
    /// <exception cref="LaunchException">This host does not run it.</exception>
    private Guest Start(GuestMemory memory, out EngineChoice choice)
    {
        GuestStart start = new((uint)(Layout.Top >> Page.Shift), (uint)Layout.PageDirectory, Kernel.Entry, Kernel.PageOffset) { GuestId = Networks.GuestId, TablesEnd = (uint)Layout.TablesEnd };
        if (!start.LeavesRoomForHost)
            throw new LaunchException($"kernel '{Kernel.Path}' begins at 0x{Kernel.PageOffset:x8} (CONFIG_PAGE_OFFSET), which leaves the host no room above it; build it for a lower address");
        try
        {
            Guest guest = GuestEngine.Start(Options.Engine, memory, Kernel.Generation, start, out choice);
            if (Options.Verbose && choice.IsAutomatic)
                Say(string.Concat(choice.Refused.Select(reason => $"{reason}; ")) + $"the {choice.Name} runs the guest");
            return guest;
        }
        catch (EngineUnavailableException reason)
        {
            bool other = Options.Engine is EngineKind.Translator or EngineKind.Check;
            throw new LaunchException(reason.Message + (other ? "; --engine=interpreter needs less" : string.Empty));
        }
    }

    private MappedGuestMemory MakeMemory()
    {
        try
        {
            return MappedGuestMemory.Create(Layout.Ranges);
        }
        catch (Win32Exception failure)
        {
            throw new LaunchException($"the host does not give the guest its memory: {failure.Message}");
        }
    }
}
