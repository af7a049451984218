// SPDX-License-Identifier: GPL-2.0-or-later
using System.Numerics;

namespace Lguest.Engine.Native;

/// <summary>
/// Where translated code is executed: one stretch of host address space, reserved once per process and never given back, in slots
/// of one size, each for one engine's arena. So a signal handler knows from an instruction's address alone, without looking at
/// anything that another thread may be changing, whether an engine's code was interrupted and where that engine's arena begins.
/// </summary>
internal static unsafe class CodeSlots
{
    /// <summary>Binary logarithm of <see cref="SlotSize"/>.</summary>
    public const int SlotShift = 26;

    /// <summary>Bytes of a slot.</summary>
    public const nuint SlotSize = 1 << SlotShift;

    /// <summary>Binary logarithm of the number of slots.</summary>
    public const int CountShift = 6;

    private const int Count = 1 << CountShift;
    private static readonly Lock s_lock = new();
    private static byte* s_start;
    private static ulong s_taken;

    /// <summary>The first slot, aligned to <see cref="SlotSize"/>.</summary>
    /// <exception cref="System.ComponentModel.Win32Exception">The host has not the address space.</exception>
    public static byte* Start
    {
        get
        {
            lock (s_lock)
            {
                if (s_start == null)
                {
                    byte* reserved = MemoryMap.Reserve(null, unchecked((nuint)(Count + 1UL) * SlotSize));
                    s_start = (byte*)(((nuint)reserved + SlotSize - 1) & ~(SlotSize - 1));
                }

                return s_start;
            }
        }
    }

    /// <summary>Takes a free slot, in which nothing is mapped.</summary>
    /// <exception cref="InvalidOperationException">Too many engines in one process.</exception>
    public static byte* Take()
    {
        byte* start = Start;
        lock (s_lock)
        {
            int free = BitOperations.TrailingZeroCount(~s_taken);
            if (free >= Count)
                throw new InvalidOperationException($"more than {Count} translators in one process");
            s_taken |= 1UL << free;
            return start + ((nuint)free << SlotShift);
        }
    }

    /// <summary>Gives a slot back; what is mapped there is reserved address space again. No thread may be executing it.</summary>
    public static void Give(byte* slot)
    {
        MemoryMap.Reserve(slot, SlotSize);
        lock (s_lock)
            s_taken &= ~(1UL << (int)((nuint)(slot - s_start) >> SlotShift));
    }
}
