// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;
using Lguest.Engine.Cpu;
using Lguest.GuestAbi;

namespace Lguest.Engine.Interpreter;

/// <summary>
/// Pages that are a device's. Their host addresses are those that memory would have if there were any, above all of it, and nothing is
/// mapped there: whoever loads and stores the slow way asks first.
/// </summary>
public sealed unsafe partial class InterpreterCore
{
    /// <summary>Whether a translated address is a device's.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool IsDevice(byte* place)
    {
        ulong physical = (ulong)(place - Memory.Base);
        return physical >= Memory.Top && physical <= uint.MaxValue;
    }

    /// <summary>
    /// An instruction is about to read one place and to write another: what it reads may be a device's, which must not be asked
    /// before it is certain that the other place is there.
    /// </summary>
    internal void ProbeCopy(CpuState* cpu, uint source, uint target, int size)
    {
        if (Devices is null || Entry(cpu->Interpreter.Tlb, source)->ReadTag == ((source + (uint)(size - 1)) & ~Page.OffsetMask))
            return;
        ProbeRead(source, size);
        ProbeWrite(target, size);
    }

    private string CodeInDevice(byte* place) => $"code at the address of a device, 0x{PhysicalOf(place):x8}";

    /// <summary>Reads up to 8 bytes: by four as long as there are four.</summary>
    private ulong ReadDevice(byte* place, int size)
    {
        ulong value = 0;
        for (int done = 0; done < size;)
        {
            int width = WidthOf(size - done);
            value |= (ulong)Devices!.Read(PhysicalOf(place + done), width) << (8 * done);
            done += width;
        }

        return value;
    }

    private void WriteDevice(byte* place, int size, ulong value)
    {
        for (int done = 0; done < size;)
        {
            int width = WidthOf(size - done);
            uint part = (uint)(value >> (8 * done));
            Devices!.Write(PhysicalOf(place + done), width, width == sizeof(uint) ? part : part & ((1u << (8 * width)) - 1));
            done += width;
        }
    }

    private static int WidthOf(int left) => left >= sizeof(uint) ? sizeof(uint) : left >= sizeof(ushort) ? sizeof(ushort) : 1;

    private uint PhysicalOf(byte* place) => (uint)(place - Memory.Base);
}
