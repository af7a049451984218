// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using Lguest.Engine.Native;

namespace Lguest.Engine.Translator;

// [T:180] Where does this lead?
/// <summary>
/// Where indirect branches, returns, and branches to another page look for their target: 65536 places, found by the low half
/// of the target. The first array holds tags, the second host addresses. A tag is the negated sum of target (sign-extended)
/// and key; emitted code adds both again and takes zero for a hit, since that can be tested without touching the guest's
/// flags. Another ring, address space or mapping is another key: entries of the old one simply no longer match.
/// </summary>
internal sealed unsafe class BranchTable : IDisposable
{
    /// <summary>Places.</summary>
    public const int Entries = 1 << 16;

    /// <summary>Bytes from a tag to its host address.</summary>
    public const int HostOffset = Entries * sizeof(ulong);

    /// <summary>Bytes from a tag to the first tag of the second table, which is looked in by bits 8–23.</summary>
    public const int SecondOffset = 2 * Entries * sizeof(ulong);

    private const int Bytes = 4 * Entries * sizeof(ulong);

    private readonly ulong* _table = (ulong*)MemoryMap.Zeroes(Bytes);

    /// <summary>Host address of the first tag.</summary>
    public ulong Address => (ulong)_table;

    /// <summary>What emitted code would find, or null.</summary>
    public byte* Find(uint target, ulong key)
    {
        ulong tag = 0 - (key + (ulong)(int)target);
        ulong* entry = _table + (ushort)target;
        if (*entry == tag)
            return (byte*)entry[Entries];
        entry = _table + (2 * Entries) + (ushort)(target >> 8);
        return *entry == tag ? (byte*)entry[Entries] : null;
    }

    /// <summary>Enters a target.</summary>
    public void Add(uint target, ulong key, byte* host)
    {
        ulong* entry = _table + (ushort)target;
        ulong tag = 0 - (key + (ulong)(int)target);

        // Two targets of one key that share a place would throw each other out for ever: the second has another place.
        if (*entry != 0 && *entry != tag && IsOfKey(*entry, key))
            entry = _table + (2 * Entries) + (ushort)(target >> 8);
        entry[Entries] = (ulong)host;
        *entry = tag;
    }

    /// <summary>Takes an entry out if it leads to some host address.</summary>
    public void Remove(uint target, byte* host)
    {
        ulong* entry = _table + (ushort)target;
        if (entry[Entries] == (ulong)host)
            *entry = 0;
        entry = _table + (2 * Entries) + (ushort)(target >> 8);
        if (entry[Entries] == (ulong)host)
            *entry = 0;
    }

    /// <summary>Takes everything out.</summary>
    public void Clear() => NativeMemory.Clear(_table, Bytes);

    private static bool IsOfKey(ulong tag, ulong key)
    {
        ulong target = 0 - tag - key;
        return (ulong)(int)(uint)target == target;
    }

    public void Dispose() => MemoryMap.Unmap(_table, Bytes);
}
