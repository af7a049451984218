// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using Lguest.Devices;
using Lguest.Devices.Native;
using Lguest.Launcher.Common;
using static Tmds.Linux.LibC;

namespace Lguest.Launcher.Initrd;

/// <summary>
/// A folder as an initial RAM disk: all that is in it, links and device nodes included, in an archive that is not compressed. The same
/// folder gives the same bytes: names are sorted, and numbers are given anew.
/// </summary>
/// <remarks>
/// Everything belongs to root, for whoever packs it need not be root, and a user's number means nothing in the guest. The folder itself is
/// no entry: the guest's root keeps its own permissions, which a folder for one user's eyes would take from all others. Folders on which
/// something else is mounted are packed empty: what is below /proc is no file.
/// </remarks>
internal sealed unsafe class FolderArchive
{
    private const int O_NOFOLLOW = 0x2_0000;

    private readonly string _folder;
    private readonly ulong _device;
    private readonly List<Item> _items = [];
    private readonly Dictionary<(ulong, ulong), List<int>> _linked = [];

    private FolderArchive(string folder, ulong device)
    {
        _folder = folder;
        _device = device;
    }

    /// <summary>Bytes of the archive.</summary>
    public long Length { get; private set; }

    /// <summary>Looks at everything, and reads no content yet.</summary>
    /// <param name="folder">The folder.</param>
    /// <exception cref="LaunchException">Something in it cannot be looked at, or it is too large for any guest.</exception>
    public static FolderArchive Plan(string folder)
    {
        _ = FileStatus.TryGet(folder, out FileStatus status);
        FolderArchive archive = new(folder, status.Identity.Device);
        archive.List(string.Empty);
        archive.Number();
        archive.Length = archive._items.Sum(static item => item.Entry.Size) + CpioEntry.Trailer.Size;
        return archive;
    }

    /// <summary>Writes the archive.</summary>
    /// <param name="target">Zeros, <see cref="Length"/> of them.</param>
    /// <exception cref="LaunchException">A file cannot be read, or has changed since it was looked at.</exception>
    public void Pack(Span<byte> target)
    {
        foreach (Item item in _items)
        {
            Span<byte> content = item.Entry.Write(target);
            if (item.Target != null)
                item.Target.CopyTo(content);
            else if (content.Length > 0)
                ReadFile(item, content);
            target = target[(int)item.Entry.Size..];
        }

        _ = CpioEntry.Trailer.Write(target);
    }

    private void List(string inside)
    {
        foreach (string name in NamesIn(inside))
        {
            string path = inside.Length == 0 ? name : $"{inside}/{name}";
            if (!FileStatus.TryGet(AT_FDCWD, $"{_folder}/{path}", out FileStatus status))
                throw Wrong(path, name.Contains('\uFFFD', StringComparison.Ordinal) ? "its name is not UTF-8; rename it" : HostMessage.Of((HostErrno)errno));
            Add(path, status);
            if (status.IsFolder && status.Identity.Device == _device)
                List(path);
        }
    }

    private string[] NamesIn(string inside)
    {
        string folder = $"{_folder}/{inside}";

        // Asked first: then the reason is known.
        int fd;
        fixed (byte* name = PathBytes.Of(folder))
            fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
        if (fd < 0)
            throw Wrong(inside, HostMessage.Of((HostErrno)errno));
        _ = close(fd);
        try
        {
            string[] names = [.. Directory.EnumerateFileSystemEntries(folder).Select(static path => Path.GetFileName(path))];
            Array.Sort(names, StringComparer.Ordinal);
            return names;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw Wrong(inside, "it changed while it was read; start again when it is complete");
        }
    }

    private void Add(string path, in FileStatus status)
    {
        byte[]? target = status.IsLink ? ReadLink(path) : null;
        long length = target?.Length ?? (status.IsRegular ? status.Size : 0);
        if (length > Array.MaxLength)
            throw Wrong(path, $"it has {length >> 20} MiB, more than any guest's memory");
        if (!status.IsFolder && status.Names > 1)
        {
            if (!_linked.TryGetValue(status.Identity, out List<int>? names))
                _linked.Add(status.Identity, names = []);
            names.Add(_items.Count);
        }

        // An entry of this name ends the archive.
        string name = path == "TRAILER!!!" ? "./" + path : path;
        _items.Add(new Item(path, status.Identity, target, new CpioEntry(Encoding.UTF8.GetBytes(name), (uint)status.Mode, (uint)length)
        {
            Links = 1,
            Inode = (uint)_items.Count + 1,
            Modified = (uint)Math.Clamp((long)status.Modified.tv_sec, 0, uint.MaxValue),
            Device = status.IsBlockDevice || status.IsCharacterDevice ? NumbersOf(status.Special) : default,
        }));
    }

    /// <summary>Names of one file get one number. Its content goes with the last of them, as cpio has it.</summary>
    private void Number()
    {
        foreach (List<int> names in _linked.Values)
        {
            foreach (int index in names)
            {
                CpioEntry entry = _items[index].Entry;
                _items[index] = _items[index] with
                {
                    Entry = entry with
                    {
                        Inode = (uint)names[0] + 1,
                        Links = (uint)names.Count,
                        Length = index == names[^1] || _items[index].Target != null ? entry.Length : 0,
                    },
                };
            }
        }
    }

    private byte[] ReadLink(string path)
    {
        const int longest = 4096;
        byte[] target = new byte[longest];
        long length;
        fixed (byte* name = PathBytes.Of($"{_folder}/{path}"))
        fixed (byte* start = target)
            length = readlink(name, start, longest);
        return length >= 0 ? target[..(int)length] : throw Wrong(path, HostMessage.Of((HostErrno)errno));
    }

    private void ReadFile(Item item, Span<byte> target)
    {
        int fd;
        fixed (byte* name = PathBytes.Of($"{_folder}/{item.Path}"))
            fd = open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
        if (fd < 0)
            throw Wrong(item.Path, HostMessage.Of((HostErrno)errno));
        try
        {
            if (!FileStatus.TryGet(fd, out FileStatus status) || status.Identity != item.Identity || status.Size != target.Length)
                throw Wrong(item.Path, "it changed while it was read; start again when it is complete");
            while (!target.IsEmpty)
            {
                long count;
                fixed (byte* start = target)
                    count = read(fd, start, target.Length);
                if (count < 0 && errno == EINTR)
                    continue;
                if (count < 0)
                    throw Wrong(item.Path, HostMessage.Of((HostErrno)errno));
                if (count == 0)
                    throw Wrong(item.Path, "it became shorter while it was read; start again when it is complete");
                target = target[(int)count..];
            }
        }
        finally
        {
            _ = close(fd);
        }
    }

    /// <summary>makedev(3), backwards.</summary>
    private static (uint Major, uint Minor) NumbersOf(ulong device) =>
        ((uint)(((device >> 8) & 0xFFF) | ((device >> 32) & ~0xFFFUL)), (uint)((device & 0xFF) | ((device >> 12) & ~0xFFUL)));

    private LaunchException Wrong(string path, string why) =>
        new(path.Length == 0 ? $"initrd '{_folder}' cannot be read: {why}" : $"'{path}' in the folder for the initrd, '{_folder}', cannot be read: {why}");

    /// <summary>A file of the folder.</summary>
    /// <param name="Path">Its path in the folder.</param>
    /// <param name="Identity">Which file it was when it was looked at.</param>
    /// <param name="Target">Where it leads, if it is a link.</param>
    /// <param name="Entry">As it is in the archive.</param>
    private sealed record Item(string Path, (ulong Device, ulong Inode) Identity, byte[]? Target, CpioEntry Entry);
}
