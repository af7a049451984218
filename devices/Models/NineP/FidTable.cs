// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Backends.Share;

namespace Lguest.Devices.Models.NineP;

/// <summary>A number of the guest's for a file that it knows.</summary>
/// <param name="node">The file, held.</param>
internal sealed class Fid(FileNode node)
{
    /// <summary>Which file.</summary>
    public FileNode Node { get; set; } = node;

    /// <summary>Its opening, once it is open.</summary>
    public OpenFile? Opening { get; set; }

    /// <summary>A write has ended when its data is on the medium.</summary>
    public bool SyncsData { get; set; }

    /// <summary>A write has ended when data and attributes are on the medium.</summary>
    public bool SyncsAll { get; set; }
}

/// <summary>The numbers that are in use.</summary>
/// <param name="tree">What they stand for.</param>
internal sealed class FidTable(NodeTree tree)
{
    /// <summary>Numbers at most. What open files cost the host is limited separately.</summary>
    public const int Most = 1 << 17;

    private readonly Dictionary<uint, Fid> _fids = [];

    /// <summary>How many there are.</summary>
    public int Count => _fids.Count;

    /// <summary>Whether there is no room for another.</summary>
    public bool IsFull => _fids.Count >= Most;

    /// <summary>What a number stands for, or null.</summary>
    public Fid? Find(uint number) => _fids.GetValueOrDefault(number);

    /// <summary>Whether a number is in use.</summary>
    public bool Contains(uint number) => _fids.ContainsKey(number);

    /// <summary>A number stands for a file from now on, and for nothing else.</summary>
    /// <param name="number">The number.</param>
    /// <param name="node">The file; what holds it is the number's now.</param>
    public void Set(uint number, FileNode node)
    {
        Remove(number);
        _fids.Add(number, new Fid(node));
    }

    /// <summary>A number stands for nothing any more.</summary>
    /// <returns>Whether it did.</returns>
    public bool Remove(uint number)
    {
        if (!_fids.Remove(number, out Fid? fid))
            return false;
        if (fid.Opening is { } opening)
            tree.Close(opening);
        tree.Release(fid.Node);
        return true;
    }

    /// <summary>None stands for anything.</summary>
    public void Clear()
    {
        _fids.Clear();
        tree.Clear();
    }
}
