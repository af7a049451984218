// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Backends.Network;
using Lguest.Devices.Backends.Share;
using Lguest.Engine;
using Lguest.Inspect;
using Lguest.Launcher.Common;
using Lguest.Launcher.Memory;

namespace Lguest.Launcher.Options;

/// <summary>What the user wants done.</summary>
public enum LaunchAction
{
    /// <summary>Start a guest.</summary>
    Run,

    /// <summary>Explain.</summary>
    Help,

    /// <summary>Tell the version.</summary>
    Version,
}

/// <summary>The command line, understood.</summary>
public sealed class LaunchOptions
{
    /// <summary>What to do; all else counts for <see cref="LaunchAction.Run"/> only.</summary>
    public LaunchAction Action { get; set; }

    /// <summary>The guest's RAM.</summary>
    public MemoryBanks Banks { get; set; } = null!;

    /// <summary>The kernel image's file.</summary>
    public string Kernel { get; set; } = string.Empty;

    /// <summary>The guest's own command line: words joined by one space.</summary>
    public string GuestCommandLine { get; set; } = string.Empty;

    /// <summary>Devices but networks, in order; disks are vda, vdb and so on, in 2.6.23 lgba, lgbb.</summary>
    public List<DeviceOption> Devices { get; } = [];

    /// <summary>No source of random bytes, where the guest would have one.</summary>
    public bool NoEntropy { get; set; }

    /// <summary>Files that the guest may have open in shares.</summary>
    public DescriptorBudget ShareBudget { get; } = new();

    /// <summary>Networks: eth0, eth1 and so on.</summary>
    public List<NetOption> Nets { get; } = [];

    /// <summary>Where packets are written down, or null.</summary>
    public string? Capture { get; set; }

    /// <summary>The number in the guest's Ethernet address, where the user chose one.</summary>
    public ushort? GuestId { get; private set; }

    /// <summary>The initial RAM disk's file, or null.</summary>
    public string? Initrd { get; set; }

    /// <summary>Which engine.</summary>
    public EngineKind Engine { get; set; } = EngineKind.Auto;

    /// <summary>How long the guest may run; null: as long as it likes.</summary>
    public TimeSpan? Timeout { get; set; }

    /// <summary>End a guest that has nothing more to do when its input has ended.</summary>
    public bool PowerOffAtEndOfInput { get; set; }

    /// <summary>The guest reports the exit status.</summary>
    public bool GuestReportsStatus { get; set; }

    /// <summary>Where the guest's console is.</summary>
    public ConsoleOption Console { get; set; } = new ConsoleOption.Standard();

    /// <summary>Things in the command line that are allowed and yet likely a mistake, a sentence each.</summary>
    public List<string> Warnings { get; } = [];

    /// <summary>End when the guest restarts.</summary>
    public bool NoReboot { get; set; }

    /// <summary>Give up, before the guest runs, what the launcher does not need.</summary>
    public bool Sandbox { get; set; } = true;

    /// <summary>Tell more on standard error.</summary>
    public bool Verbose { get; set; }

    /// <summary>What looks into the guest.</summary>
    public DebugOptions Debug { get; } = new();

    /// <summary>Adds a network.</summary>
    /// <exception cref="LaunchException">It does not go with those before it.</exception>
    public void AddNet(NetOption option)
    {
        if (option.GuestId is { } wanted)
        {
            if (GuestId is { } before && before != wanted)
                throw new LaunchException($"two different mac= are given; a guest's driver makes all its addresses of one number, so they can only be {MacAddress.OfGuest(before)} or {MacAddress.OfGuest(wanted)}");
            GuestId = wanted;
        }

        Nets.Add(option);
    }
}
