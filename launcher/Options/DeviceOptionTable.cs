// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices;
using Lguest.Devices.Backends;
using Lguest.Devices.Bus.Dma;
using Lguest.Devices.Models;
using Lguest.Devices.Virtio;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Virtio;
using Lguest.Launcher.Common;

namespace Lguest.Launcher.Options;

/// <summary>The devices that a guest can be given: how each is written on the command line, and what is opened for it.</summary>
public static class DeviceOptionTable
{
    /// <summary>Every one, by the alphabet.</summary>
    public static IReadOnlyList<LaunchOption> All { get; } =
    [
        new("block", '\0', "FILE[,ro]", "a disk for the guest, from a file or a block device: the first\nis /dev/vda, the next /dev/vdb (in 2.6.23 lgba, lgbb); ,ro makes\nit read-only",
            static (options, value) => options.Devices.Add(BlockOption.Parse(value))),
        new("no-rng", '\0', null, "no source of random bytes for the guest: kernels of 2.6.26 and later\notherwise have one (/dev/hwrng)", static (options, _) => options.NoEntropy = true),
        new("sharenet", '\0', "FILE", "a network with all guests whose launchers name the same file,\nwhich is created if it does not exist", static (options, value) => options.AddNet(NetOption.Sharenet(value))),
        new("tunnet", '\0', "WHERE", "a network with the host, through a tap interface: IP[/PREFIX]\nmakes one with this address, bridge:NAME makes one on that bridge,\ntap:NAME uses an existing one (needs no privilege)", static (options, value) => options.AddNet(NetOption.Tunnet(value))),
        new("usernet", '\0', "CIDR", "outbound networking without any privilege, through passt: the guest's\naddress (10.0.2.15/24 unless given) comes by DHCP, the host is .2;\n,tcp=HOST:GUEST and ,udp=HOST:GUEST forward ports, ,tcp=PORT the same one", static (options, value) => options.AddNet(NetOption.Usernet(value)), ValueOptional: true),
    ];
}

/// <summary>A disk on the command line.</summary>
/// <param name="Path">File or block device.</param>
/// <param name="ReadOnly">With <c>,ro</c> after it.</param>
public sealed record BlockOption(string Path, bool ReadOnly) : DeviceOption
{
    /// <inheritdoc/>
    public override string Kind => "disks";

    /// <inheritdoc/>
    public override int? DmaPages => DmaDisk.Pages;

    /// <inheritdoc/>
    public override string Option => "--block";

    /// <summary>Understands the value of --block.</summary>
    /// <exception cref="LaunchException">It makes no sense.</exception>
    public static BlockOption Parse(string value)
    {
        const string Suffix = ",ro";
        bool readOnly = value.EndsWith(Suffix, StringComparison.Ordinal);
        string path = readOnly ? value[..^Suffix.Length] : value;
        if (value.EndsWith(",rw", StringComparison.Ordinal))
            throw new LaunchException($"--block={value}: there is no ,rw; a disk is writable unless ,ro makes it read-only");
        if (path.Length == 0)
            throw new LaunchException("--block needs the name of a file: --block=FILE or --block=FILE,ro");
        return new BlockOption(path, readOnly);
    }

    /// <inheritdoc/>
    public override void Claim(FileClaims claims) => claims.AddDisk(Path, ReadOnly);

    /// <inheritdoc/>
    public override HostDevice Open() => new Disk(BlockImage.Open(Path, ReadOnly));

    private sealed class Disk(BlockImage image) : HostDevice
    {
        public override IDmaDevice MakeForDma(Complaints complaints) => new DmaDisk(new DiskModel(image, complaints), complaints);

        public override VirtioDevice MakeVirtio(GuestMemory memory, VirtioFormat format, Complaints complaints) =>
            new VirtioBlock(new DiskModel(image, complaints), memory, format, complaints);

        public override string? Save() => image.Sync() is var error and not 0
            ? $"disk image '{image.Path}' could not be saved: {HostMessage.Of(error)}"
            : null;

        public override void Dispose() => image.Dispose();
    }
}
