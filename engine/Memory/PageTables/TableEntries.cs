// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;

namespace Lguest.Engine.Memory.PageTables;

/// <summary>
/// What the entries that name some tables looked like at some time. A kernel that switches address spaces has mostly changed none of
/// them; comparing them costs a fraction of looking at what they map.
/// </summary>
/// <param name="walker">The guest's page tables.</param>
/// <param name="first">The first table: linear page number divided by the pages of a table.</param>
/// <param name="tables">How many.</param>
internal sealed class TableEntries(PageWalker walker, uint first, uint tables)
{
    private readonly byte[] _entries = new byte[tables * walker.EntryBytes];
    private readonly int _entryBytes = (int)walker.EntryBytes;

    /// <summary>Remembers them.</summary>
    /// <param name="top">Guest physical address of the page directory.</param>
    public void Remember(uint top)
    {
        for (uint done = 0; done < tables;)
        {
            Span<byte> known = Next(top, ref done, out ReadOnlySpan<byte> now);
            if (now.IsEmpty)
                known.Clear();
            else
                now.CopyTo(known);
        }
    }

    /// <summary>Remembers them anew, and says which have changed.</summary>
    /// <param name="top">Guest physical address of the page directory.</param>
    /// <param name="changed">Gets the tables whose entries are not the ones that were remembered.</param>
    public void Update(uint top, List<uint> changed)
    {
        for (uint done = 0; done < tables;)
        {
            uint table = first + done;
            Span<byte> known = Next(top, ref done, out ReadOnlySpan<byte> now);
            if (MemoryComparison.AreEqual(now, known))
                continue;
            for (int at = 0; at < known.Length; at += _entryBytes, table++)
            {
                // Read once: what is compared is what is remembered, so that a later change is seen the next time.
                ulong entry = now.IsEmpty ? 0 : Read(now[at..]);
                if (entry == Read(known[at..]))
                    continue;
                Write(known[at..], entry);
                changed.Add(table);
            }
        }
    }

    private Span<byte> Next(uint top, ref uint done, out ReadOnlySpan<byte> now)
    {
        now = walker.TableEntries(top, first + done, out uint count);
        count = Math.Min(count, tables - done);
        int length = (int)count * _entryBytes;
        if (!now.IsEmpty)
            now = now[..length];
        Span<byte> known = _entries.AsSpan((int)done * _entryBytes, length);
        done += count;
        return known;
    }

    private ulong Read(ReadOnlySpan<byte> entry) =>
        _entryBytes == sizeof(uint) ? BinaryPrimitives.ReadUInt32LittleEndian(entry) : BinaryPrimitives.ReadUInt64LittleEndian(entry);

    private void Write(Span<byte> entry, ulong value)
    {
        if (_entryBytes == sizeof(uint))
            BinaryPrimitives.WriteUInt32LittleEndian(entry, (uint)value);
        else
            BinaryPrimitives.WriteUInt64LittleEndian(entry, value);
    }
}
