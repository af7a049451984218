// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using Lguest.Engine.Cpu;
using Lguest.Engine.Debugging;
using Lguest.GuestAbi;

namespace Lguest.Launcher.Debugging.Monitor;

/// <summary>What runs the guest, and what it has counted.</summary>
internal static class EngineView
{
    public static unsafe string Show(DebugTarget.Running running)
    {
        GuestStatistics statistics = running.Guest.Statistics;
        StringBuilder text = new($"engine        {running.Engine} ({running.Guest.Core.GetType().Name})\n");
        text.Append($"instructions  {running.Guest.Core.Cpu->Instructions}\n");
        text.Append("exits         ");
        foreach (ExitKind kind in Enum.GetValues<ExitKind>())
        {
            if (statistics.Exits[(int)kind] != 0)
                text.Append($"{kind} {statistics.Exits[(int)kind]}  ");
        }

        text.Append($"\nhypercalls    {statistics.HypercallTotal}\n");
        text.Append($"interrupts    {statistics.InterruptTotal}:");
        for (int irq = 0; irq < Vectors.IrqCount; irq++)
        {
            if (statistics.Interrupts[irq] != 0)
                text.Append($"  irq {irq} {statistics.Interrupts[irq]}");
        }

        text.Append($"\ntraps         {statistics.TrapTotal}:");
        for (uint vector = 0; vector < (uint)statistics.Traps.Length; vector++)
        {
            if (statistics.Traps[(int)vector] != 0)
                text.Append($"  {VectorNames.Of(vector)} {statistics.Traps[(int)vector]}");
        }

        return text.Append($"\nslept         {statistics.Sleeps} times, {statistics.SleptNanoseconds / 1e9:f3} s\n").ToString();
    }
}
