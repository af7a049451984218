// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using Iced.Intel;
using Lguest.Engine.Interpreter;
using Lguest.Engine.Native;

namespace Lguest.Engine.Translator;

/// <summary>An instruction that translated code leaves to the interpreter.</summary>
internal unsafe struct InterpretedInstruction
{
    /// <summary>Its ops: structs cannot have arrays of structs in C#.</summary>
    public fixed byte Ops[BlockBuilder.MaxSingleOps * MicroOp.ByteSize];

    /// <summary>Host code that goes on at <see cref="NextEip"/>; null: there is none.</summary>
    public byte* Continue;

    /// <summary>EIP after it.</summary>
    public uint NextEip;

    /// <summary>Whether it was decoded; else it has to be fetched anew each time.</summary>
    public int HasOps;
}

/// <summary>
/// What translated code leaves to the interpreter: the instructions, by number, as long as the code is there that names them; and
/// the places whose instructions are the interpreter's from now on, since they kept faulting for its sake.
/// </summary>
internal sealed unsafe class InterpretedInstructions : IDisposable
{
    private const int Most = 1 << 18;

    /// <summary>As many as a block may need.</summary>
    private const int Reserve = 128;

    /// <summary>How much an instruction may weigh by faulting for the interpreter's sake, before it is left to it permanently.</summary>
    private const int Patience = 32;

    private readonly InterpreterCore _interpreter;
    private readonly Dictionary<uint, int> _impatient = [];
    private readonly HashSet<uint> _preferred = [];
    private readonly InterpretedInstruction* _all;
    private uint _count;

    /// <summary>Makes an empty list.</summary>
    /// <param name="interpreter">Whose ops they become.</param>
    /// <exception cref="System.ComponentModel.Win32Exception">The host has no memory.</exception>
    public InterpretedInstructions(InterpreterCore interpreter)
    {
        _interpreter = interpreter;
        _all = (InterpretedInstruction*)MemoryMap.Zeroes(Bytes);
    }

    /// <summary>Whether there may be no room for those of one more block.</summary>
    public bool IsFull => _count > Most - Reserve;

    private static nuint Bytes => Most * (nuint)sizeof(InterpretedInstruction);

    /// <summary>The instruction of a number.</summary>
    public InterpretedInstruction* this[uint number] => _all + number;

    /// <summary>Adds one.</summary>
    /// <param name="instruction">It, or null when it has to be fetched anew each time.</param>
    /// <returns>Its number.</returns>
    public uint Add(Instruction* instruction)
    {
        InterpretedInstruction* record = _all + _count;
        record->HasOps = 0;
        record->NextEip = 0;
        if (instruction != null)
        {
            record->NextEip = instruction->NextIP32;
            record->HasOps = 1;
            _interpreter.DecodeInto(in *instruction, (MicroOp*)record->Ops);
        }

        record->Continue = null;
        return _count++;
    }

    /// <summary>Where translated code goes on after one.</summary>
    public void ContinueAt(uint number, byte* host) => _all[number].Continue = host;

    /// <summary>Whether the instruction at a guest physical address is the interpreter's.</summary>
    public bool IsPreferred(uint physical) => _preferred.Count != 0 && _preferred.Contains(physical);

    /// <summary>An instruction has faulted for the interpreter's sake: whether it should be the interpreter's, and is not yet.</summary>
    /// <param name="physical">Where it is.</param>
    /// <param name="weight">How much this time counts.</param>
    public bool IsWorthIt(uint physical, int weight)
    {
        ref int count = ref CollectionsMarshal.GetValueRefOrAddDefault(_impatient, physical, out _);
        count += weight;
        if (count < Patience)
            return false;
        _impatient.Remove(physical);
        return !_preferred.Contains(physical);
    }

    /// <summary>The instruction at a guest physical address is the interpreter's from now on.</summary>
    public void Prefer(uint physical) => _preferred.Add(physical);

    /// <summary>Bytes that change may be translated again; whichever is fewer is gone through, the bytes or the addresses.</summary>
    public void Forget(uint physical, uint size)
    {
        if (_preferred.Count == 0)
            return;
        if (size >= _preferred.Count)
        {
            ForgetAll(physical, size);
            return;
        }

        for (uint i = 0; i < size; i++)
            _preferred.Remove(physical + i);
    }

    // By itself: what the predicate captures is allocated where a method begins, whether or not it comes to the predicate.
    private void ForgetAll(uint physical, uint size) => _preferred.RemoveWhere(address => address - physical < size);

    /// <summary>All code is gone, and with it all numbers.</summary>
    public void Clear() => _count = 0;

    /// <inheritdoc/>
    public void Dispose() => MemoryMap.Unmap(_all, Bytes);
}
