// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices;
using Lguest.Devices.Backends.Network;
using Lguest.Launcher.Common;

namespace Lguest.Launcher.Options;

/// <summary>A network on the command line.</summary>
public abstract record NetOption
{
    private NetOption()
    {
    }

    /// <summary>The number in the guest's Ethernet address that goes with it, or null: any.</summary>
    public ushort? GuestId { get; init; }

    /// <summary>Through a tap interface.</summary>
    public sealed record TapNet(TunnetOption Where) : NetOption;

    /// <summary>Through passt.</summary>
    public sealed record UserNet(UsernetOption Settings) : NetOption;

    /// <summary>Through a file, with other guests.</summary>
    public sealed record SharedNet(string Path) : NetOption;

    /// <summary>Understands the value of --tunnet.</summary>
    /// <exception cref="LaunchException">It makes no sense.</exception>
    public static NetOption Tunnet(string value) => Understand(() =>
    {
        TunnetOption where = TunnetOption.Parse(value);
        return new TapNet(where) { GuestId = where.GuestId };
    });

    /// <summary>Understands the value of --usernet.</summary>
    /// <exception cref="LaunchException">It makes no sense.</exception>
    public static NetOption Usernet(string value) => Understand(() =>
    {
        UsernetOption settings = UsernetOption.Parse(value);
        return new UserNet(settings) { GuestId = settings.GuestId };
    });

    /// <summary>Understands the value of --sharenet. A comma may be part of the file's name, unless mac= is behind it.</summary>
    /// <exception cref="LaunchException">It makes no sense.</exception>
    public static NetOption Sharenet(string value) => Understand(() =>
    {
        int comma = value.LastIndexOf(",mac=", StringComparison.Ordinal);
        string path = comma < 0 ? value : value[..comma];
        if (path.Length == 0)
            throw new DeviceException("--sharenet needs the name of a file: --sharenet=FILE");
        return new SharedNet(path) { GuestId = comma < 0 ? null : MacOption.Parse(value[(comma + 1)..]) };
    });

    private static NetOption Understand(Func<NetOption> parse)
    {
        try
        {
            return parse();
        }
        catch (DeviceException nonsense)
        {
            throw new LaunchException(nonsense.Message);
        }
    }
}
