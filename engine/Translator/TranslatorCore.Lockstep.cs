// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Cpu;
using Lguest.Engine.Interpreter;

namespace Lguest.Engine.Translator;

/// <summary>What running in lockstep with another engine takes: one block at a time.</summary>
public sealed unsafe partial class TranslatorCore
{
    /// <summary>
    /// Blocks are not linked to each other and not found by the branch table, so that <see cref="Run"/> comes back after each.
    /// What a block consists of is the same. To be set before anything runs.
    /// </summary>
    internal bool Unchained
    {
        get => _translator.Unchained;
        init => _translator.Unchained = value;
    }

    /// <summary>Whether the interpreter runs the guest now: odd segments or flags, or a debugger that watches.</summary>
    internal bool IsInterpreting
    {
        get
        {
            _interpreter.UpdateMode();
            return (_interpreter.Mode & Unusual) != 0 || IsWatched;
        }
    }

    /// <summary>Whether the next instruction lies, all or its end, where other processes can write: it is the interpreter's alone.</summary>
    internal bool IsAtForeignCode =>
        _interpreter.TryFetch(Cpu->Arch.Eip, out uint physical, out _)
        && (Memory.IsForeign(physical)
            || (_translator.Crosses(physical) && _interpreter.TryFetch((Cpu->Arch.Eip & ~GuestAbi.Page.OffsetMask) + GuestAbi.Page.Size, out uint rest, out _) && Memory.IsForeign(rest)));

    /// <summary>The interpreter inside.</summary>
    internal InterpreterCore Stepper => _interpreter;

    /// <summary>The block that <see cref="Run"/> will enter now; null when it cannot be fetched.</summary>
    internal Block? NextBlock()
    {
        SelectContext();
        return FindBlock(Cpu->Arch.Eip, out _);
    }

    /// <summary>A block that is translated already, or null.</summary>
    internal Block? Translated(BlockKey key) => _code.Find(key);

    /// <summary>Host code, for writing.</summary>
    internal byte* ToWritable(byte* code) => _code.ToWritable(code);
}
