// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Backends.Network;
using Lguest.Devices.Native;
using Lguest.Launcher.Common;
using Lguest.Launcher.Options;
using Lguest.Launcher.Sandbox;

namespace Lguest.Launcher.Run;

/// <summary>
/// The moment between opening and running: what a launcher with these options must still be able to do is put together, and all
/// else is given up.
/// </summary>
internal static class Sealing
{
    /// <summary>Seals the launcher, unless the user does not want that.</summary>
    /// <param name="options">The command line.</param>
    /// <param name="devices">The guest's devices, opened.</param>
    /// <param name="networks">The guest's networks, opened.</param>
    /// <param name="terminal">The pseudo-terminal of <c>--console=pty</c>, or null.</param>
    /// <param name="leftovers">Files that debugging leaves behind, to be removed at the end.</param>
    /// <returns>What is in force.</returns>
    /// <exception cref="LaunchException">The host has what is needed, and it does not work.</exception>
    public static SealReport Apply(LaunchOptions options, GuestDevices devices, GuestNetworks networks, string? terminal, IEnumerable<string> leftovers) =>
        options.Sandbox ? Seal.Apply(NeedsOf(options, devices, networks, terminal, leftovers)) : SealReport.Off;

    private static SealNeeds NeedsOf(LaunchOptions options, GuestDevices devices, GuestNetworks networks, string? terminal, IEnumerable<string> leftovers)
    {
        List<int> children = [];
        List<string> removes = [];
        List<string> removesDirectories = [];
        foreach (string path in leftovers)
            removes.Add(path);
        ConsoleOption.OnSocket? console = options.Console as ConsoleOption.OnSocket;
        if (console != null)
            removes.Add(console.Address.Path!);
        foreach (IDisposable end in networks.Ends)
        {
            if (end is PasstLink passt)
                children.Add(passt.ProcessId);
            if (end is not SharedSegment segment)
                continue;
            removes.Add(segment.Ports.NameOf(segment.Page.Slot));
            removesDirectories.Add(segment.Ports.Path);
        }

        bool connects = removesDirectories.Count > 0;
        return new SealNeeds
        {
            Children = children,
            Talks = options.Debug.Control != null || options.Debug.Gdb != null || console != null || terminal != null || children.Count > 0 || connects,
            Connects = connects,
            Reads = terminal == null ? [] : [terminal],
            HeldNames = HeldNames.Range,
            Folders = [.. devices.Folders],
            Removes = removes,
            RemovesDirectories = removesDirectories,
        };
    }
}
