// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Cpu;

namespace Lguest.Engine.Check;

/// <summary>Code in memory that other processes can write, which there is nothing to compare of.</summary>
public sealed unsafe partial class CheckCore
{
    /// <summary>Instructions that are run unchecked at a time where others can write the code.</summary>
    private const int ForeignStretch = 256;

    /// <summary>Others may write to the next instruction between the engines' looks at it, so only one of them looks.</summary>
    private CpuExit RunForeignCode()
    {
        CpuExit exit;
        int count = 0;
        do
        {
            exit = _translator.Step();
        }
        while (exit.Kind == ExitKind.Attention && ++count < ForeignStretch && Volatile.Read(ref Cpu->Attention) == 0 && _translator.IsAtForeignCode);
        return exit;
    }
}
