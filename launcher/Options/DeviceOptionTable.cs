// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Launcher.Options;

/// <summary>The devices that a guest can be given: how each is written on the command line, and what is opened for it.</summary>
public static class DeviceOptionTable
{
    /// <summary>Every one, by the alphabet.</summary>
    public static IReadOnlyList<LaunchOption> All { get; } =
    [
        new("block", '\0', "FILE[,HOW]", "a disk for the guest, from a file or a block device: the first\nis /dev/vda, the next /dev/vdb (in 2.6.23 lgba, lgbb); HOW is ro\n(read-only), overlay=FILE2 (writes go to FILE2, which is made if it\nis not there) or snapshot (writes vanish at the end)",
            static (options, value) => options.Devices.Add(BlockOption.Parse(value))),
        new("no-rng", '\0', null, "no source of random bytes for the guest: kernels of 2.6.26 and later\notherwise have one (/dev/hwrng)", static (options, _) => options.NoEntropy = true),
        new("share", '\0', "DIR[,tag=NAME][,ro]", "a folder of the host in the guest, by 9P: 'mount -t 9p -o\ntrans=virtio,version=9p2000.L share /mnt', or NAME in place of share;\n,ro refuses every change (kernels of 3.0 and later)",
            static (options, value) => options.Devices.Add(ShareOption.Parse(value, options))),
        new("sharenet", '\0', "FILE", "a network with all guests whose launchers name the same file,\nwhich is created if it does not exist", static (options, value) => options.AddNet(NetOption.Sharenet(value))),
        new("tunnet", '\0', "WHERE", "a network with the host, through a tap interface: IP[/PREFIX]\nmakes one with this address, bridge:NAME makes one on that bridge,\ntap:NAME uses an existing one (needs no privilege)", static (options, value) => options.AddNet(NetOption.Tunnet(value))),
        new("usernet", '\0', "CIDR", "outbound networking without any privilege, through passt: the guest's\naddress (10.0.2.15/24 unless given) comes by DHCP, the host is .2;\n,tcp=HOST:GUEST and ,udp=HOST:GUEST forward ports, ,tcp=PORT the same one", static (options, value) => options.AddNet(NetOption.Usernet(value)), ValueOptional: true),
    ];
}
