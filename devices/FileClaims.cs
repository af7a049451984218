// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Devices;

/// <summary>
/// Which files a launcher uses, and for what: known by device and inode, so that neither a symbolic nor a hard link hides that
/// two names are one file. Nothing is written to a file that the guest lives on, and no two outputs share one.
/// </summary>
public sealed class FileClaims
{
    private readonly Dictionary<(ulong Device, ulong Inode), (string Use, string Path)> _claims = [];

    /// <summary>A file that the guest is made of. One that is not there is whoever opens it's concern.</summary>
    /// <param name="use">What it is, in words: "kernel".</param>
    /// <param name="path">Its name.</param>
    public void AddInput(string use, string path)
    {
        if (FileStatus.TryGet(path, out FileStatus status))
            _claims.TryAdd(status.Identity, (use, path));
    }

    /// <summary>A disk. One that the guest may write is nothing else that the guest is made of; the same disk twice is for the locks to refuse.</summary>
    /// <exception cref="DeviceException">It is something else already.</exception>
    public void AddDisk(string path, bool readOnly)
    {
        const string disk = "disk image";
        if (!readOnly && FileStatus.TryGet(path, out FileStatus status) && _claims.TryGetValue(status.Identity, out (string Use, string Path) other) && other.Use != disk)
            throw new DeviceException($"--block={path} would let the guest overwrite its own {other.Use} '{other.Path}'; to read it only: --block={path},ro");
        AddInput(disk, path);
    }

    /// <summary>Takes a file for writing.</summary>
    /// <param name="option">The option that names it, with its dashes. It may take the same file again.</param>
    /// <param name="path">The file's name.</param>
    /// <exception cref="DeviceException">It is something else already. A file that is not there is nothing else.</exception>
    public void Take(string option, string path)
    {
        if (FileStatus.TryGet(path, out FileStatus status))
            Take(option, path, in status);
    }

    /// <summary>The same for a file whose status is known.</summary>
    /// <exception cref="DeviceException">It is something else already.</exception>
    internal void Take(string option, string path, in FileStatus status)
    {
        // Any number of outputs may go to a terminal or to /dev/null.
        if (!status.IsRegular && !status.IsBlockDevice)
            return;
        if (_claims.TryAdd(status.Identity, (option, path)))
            return;
        (string use, string other) = _claims[status.Identity];
        if (use == option)
            return;
        throw new DeviceException(use.StartsWith('-')
            ? $"{option} and {use} both name the file '{path}'{(other == path ? string.Empty : $" (as '{other}')")}; give each its own"
            : $"{option}={path} would overwrite this guest's {use} '{other}'; name another file");
    }

    /// <summary>Gives a file back that was taken.</summary>
    internal void GiveBack(in FileStatus status) => _claims.Remove(status.Identity);
}
