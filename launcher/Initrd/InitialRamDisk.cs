// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices;
using Lguest.Launcher.Common;
using Lguest.Launcher.Kernel;

namespace Lguest.Launcher.Initrd;

/// <summary>The initial RAM disk: a file as it is, what is in a folder, or none. Its length is known before any of it is read.</summary>
public sealed class InitialRamDisk : IDisposable
{
    private readonly KernelFile? _file;
    private readonly FolderArchive? _folder;

    private InitialRamDisk(KernelFile? file, FolderArchive? folder)
    {
        _file = file;
        _folder = folder;
    }

    /// <summary>Bytes; 0 for none.</summary>
    public long Length => _file?.Length ?? _folder?.Length ?? 0;

    /// <summary>Opens it.</summary>
    /// <param name="path">A file or a folder; null: there is none.</param>
    /// <exception cref="LaunchException">It cannot be read; the message says what.</exception>
    public static InitialRamDisk Open(string? path)
    {
        if (path == null)
            return new InitialRamDisk(null, null);
        bool isFolder = FileStatus.TryGet(path, out FileStatus status) && status.IsFolder;
        return isFolder ? new InitialRamDisk(null, FolderArchive.Plan(path)) : new InitialRamDisk(KernelFile.Open("initrd", path), null);
    }

    /// <summary>Reads all of it.</summary>
    /// <exception cref="LaunchException">It cannot be read, or changed meanwhile.</exception>
    public byte[] Read()
    {
        byte[] content = new byte[Length];
        _file?.Read(content, 0);
        _folder?.Pack(content);
        return content;
    }

    /// <inheritdoc/>
    public void Dispose() => _file?.Dispose();
}
