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

/// <summary>A disk on the command line.</summary>
/// <param name="Path">File or block device.</param>
/// <param name="ReadOnly">With <c>,ro</c> after it.</param>
public sealed record BlockOption(string Path, bool ReadOnly) : DeviceOption
{
    private const string OverlayWord = ",overlay=";

    /// <summary>Where writes go, in place of <see cref="Path"/>; null: they do not.</summary>
    public string? Overlay { get; init; }

    /// <summary>Whether writes vanish at the end.</summary>
    public bool IsSnapshot { get; init; }

    /// <inheritdoc/>
    public override string Kind => "disks";

    /// <inheritdoc/>
    public override int? DmaPages => DmaDisk.Pages;

    /// <inheritdoc/>
    public override string Option => "--block";

    /// <inheritdoc/>
    public override int FileCount => Overlay != null || IsSnapshot ? 2 : 1;

    /// <summary>Understands the value of --block.</summary>
    /// <exception cref="LaunchException">It makes no sense.</exception>
    public static BlockOption Parse(string value)
    {
        int comma = value.IndexOf(OverlayWord, StringComparison.Ordinal);
        string path = comma < 0 ? value : value[..comma];
        string? overlay = comma < 0 ? null : value[(comma + OverlayWord.Length)..];
        string? how = WordAtEnd(overlay ?? path);
        if (how == "rw")
            throw new LaunchException($"--block={value}: there is no ,rw; a disk is writable unless ,ro makes it read-only");
        if (overlay != null && (how ?? WordAtEnd(path)) is { } word)
            throw new LaunchException($"--block={value}: {word} does not go with overlay=; give one of the two");
        if (how != null)
            path = path[..^(how.Length + 1)];
        if (how != null && WordAtEnd(path) is { } other)
            throw new LaunchException($"--block={value}: {other} does not go with {how}; give one of the two");
        if (path.Length == 0)
            throw new LaunchException("--block needs the name of a file: --block=FILE or --block=FILE,ro");
        if (overlay?.Length == 0)
            throw new LaunchException($"--block={value}: overlay= needs the name of a file, which is made if it is not there: --block={path},overlay=FILE");
        return new BlockOption(path, how == "ro") { Overlay = overlay, IsSnapshot = how == "snapshot" };
    }

    /// <inheritdoc/>
    public override void Claim(FileClaims claims)
    {
        claims.AddDisk(Path, ReadOnly || Overlay != null || IsSnapshot);
        if (Overlay != null)
            claims.AddInput("overlay", Overlay);
    }

    /// <inheritdoc/>
    public override HostDevice Open() => new Disk(
        Overlay != null ? BlockImage.OpenOverlay(Path, Overlay) : IsSnapshot ? BlockImage.OpenSnapshot(Path) : BlockImage.Open(Path, ReadOnly));

    /// <summary>A word at the end that says how the disk is used, without its comma; null: there is none.</summary>
    private static string? WordAtEnd(string value)
    {
        foreach (string word in (ReadOnlySpan<string>)["ro", "rw", "snapshot"])
        {
            if (value.EndsWith("," + word, StringComparison.Ordinal))
                return word;
        }

        return null;
    }

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
