// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices;
using Lguest.Devices.Backends.Share;
using Lguest.Devices.Bus.Dma;
using Lguest.Devices.Models.NineP;
using Lguest.Devices.Virtio;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Virtio;
using Lguest.Launcher.Common;

namespace Lguest.Launcher.Options;

/// <summary>A folder of the host, on the command line.</summary>
/// <param name="Path">The folder.</param>
/// <param name="Tag">The name by which the guest mounts it.</param>
/// <param name="ReadOnly">With <c>,ro</c>.</param>
/// <param name="Budget">Files that the guest may have open in all its shares.</param>
public sealed record ShareOption(string Path, string Tag, bool ReadOnly, DescriptorBudget Budget) : DeviceOption
{
    private const string Usual = "share";

    /// <summary>As QEMU has it, and short enough for every driver.</summary>
    private const int LongestTag = 31;

    /// <inheritdoc/>
    public override string Kind => "shares";

    /// <inheritdoc/>
    public override int? DmaPages => null;

    /// <inheritdoc/>
    public override string Option => "--share";

    /// <summary>Understands the value of --share. A comma may be part of the folder's name, unless a tag or ro follows it.</summary>
    /// <param name="value">The value.</param>
    /// <param name="options">What was given before it.</param>
    /// <exception cref="LaunchException">It makes no sense.</exception>
    public static ShareOption Parse(string value, LaunchOptions options)
    {
        const string tagWord = "tag=";
        string path = value;
        string tag = Usual;
        bool readOnly = false;
        while (path.LastIndexOf(',') is >= 0 and int comma)
        {
            string word = path[(comma + 1)..];
            if (word == "ro")
                readOnly = true;
            else if (word == "rw")
                throw new LaunchException($"--share={value}: there is no ,rw; a share is writable unless ,ro makes it read-only");
            else if (word.StartsWith(tagWord, StringComparison.Ordinal))
                tag = word[tagWord.Length..];
            else
                break;
            path = path[..comma];
        }

        if (path.Length == 0)
            throw new LaunchException("--share needs the name of a folder: --share=DIR, --share=DIR,tag=NAME or --share=DIR,ro");
        if (tag.Length is 0 or > LongestTag || !tag.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.'))
            throw new LaunchException($"--share={value}: a tag has 1 to {LongestTag} letters, digits, points, dashes and underscores");
        if (options.Devices.OfType<ShareOption>().FirstOrDefault(other => other.Tag == tag) is { } twice)
            throw new LaunchException($"the shares '{twice.Path}' and '{path}' have the same tag '{tag}', and the guest could mount only one; give one of them another: --share={path},tag=NAME");
        return new ShareOption(path, tag, readOnly, options.ShareBudget);
    }

    /// <inheritdoc/>
    public override void Claim(FileClaims claims)
    {
        // What is written in the folder is as much the host's as the guest's: that is what a share is for.
    }

    /// <inheritdoc/>
    public override HostDevice Open() => new Share(SharedFolder.Open(Path, ReadOnly, Budget), Tag);

    private sealed class Share(SharedFolder folder, string tag) : HostDevice
    {
        private NinePModel? _model;

        public override SharedFolder Folder => folder;

        public override IDmaDevice MakeForDma(Complaints complaints) => throw new InvalidOperationException("there is no share on that bus");

        public override VirtioDevice MakeVirtio(GuestMemory memory, VirtioFormat format, Complaints complaints)
        {
            // A guest that restarts leaves what it had open.
            _model?.Dispose();
            _model = new NinePModel(folder, tag, complaints);
            return new VirtioNineP(_model, memory, format, complaints);
        }

        public override void Dispose()
        {
            _model?.Dispose();
            folder.Dispose();
        }
    }
}
