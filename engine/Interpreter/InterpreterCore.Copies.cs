// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;
using Lguest.GuestAbi.Debugging;

namespace Lguest.Engine.Interpreter;

/// <summary>Operands that are copied: those of the floating point unit.</summary>
public sealed unsafe partial class InterpreterCore
{
    /// <summary>Copies guest memory out, up to a page; faults before anything is copied.</summary>
    internal void CopyFrom(uint address, byte* to, int size)
    {
        if (_watchpoints.Length != 0)
            CheckWatchpoints(address, size, WatchKind.Read);
        int first = (int)Math.Min((uint)size, Page.Size - (address & Page.OffsetMask));
        byte* low = Translate(address, write: false);
        byte* high = first < size ? Translate(address + (uint)first, write: false) : null;
        Load(low, to, first);
        if (first < size)
            Load(high, to + first, size - first);
    }

    /// <summary>Copies into guest memory, up to a page; faults before anything is copied.</summary>
    internal void CopyTo(uint address, byte* from, int size)
    {
        int first = (int)Math.Min((uint)size, Page.Size - (address & Page.OffsetMask));
        byte* low = Translate(address, write: true);
        byte* high = first < size ? Translate(address + (uint)first, write: true) : null;
        Store(from, low, first);
        if (first < size)
            Store(from + first, high, size - first);
    }

    /// <summary>Copies bytes of one page out.</summary>
    private void Load(byte* from, byte* to, int size)
    {
        if (!IsDevice(from))
        {
            Buffer.MemoryCopy(from, to, size, size);
            return;
        }

        for (int i = 0; i < size; i += sizeof(uint))
        {
            int part = Math.Min(size - i, sizeof(uint));
            ulong value = ReadDevice(from + i, part);
            Buffer.MemoryCopy(&value, to + i, part, part);
        }
    }

    /// <summary>Copies bytes into one page.</summary>
    private void Store(byte* from, byte* to, int size)
    {
        if (!IsDevice(to))
        {
            CodeWillChange(to, size);
            Buffer.MemoryCopy(from, to, size, size);
            return;
        }

        for (int i = 0; i < size; i += sizeof(uint))
        {
            int part = Math.Min(size - i, sizeof(uint));
            ulong value = 0;
            Buffer.MemoryCopy(from + i, &value, part, part);
            WriteDevice(to + i, part, value);
        }
    }
}
