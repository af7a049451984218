// SPDX-License-Identifier: GPL-2.0-or-later
using Iced.Intel;
using Lguest.Engine.Cpu;
using Lguest.Engine.FloatingPoint;

namespace Lguest.Engine.Translator;

/// <summary>
/// x87, MMX, SSE and SSE2 run on the host's own registers. C# uses those too, so the guest's are brought in by the first
/// such instruction of a block that finds them at home, and sent home whenever translated code is left.
/// </summary>
internal sealed unsafe partial class BlockTranslator
{
    private const int FloatLiveOffset = 0x520;
    private bool _floatLoaded;

    /// <summary>An instruction of the floating point unit, natively. False: not one, or the interpreter's.</summary>
    private bool Float(in Instruction i)
    {
        if (!InstructionClassifier.TryClassify(in i, out FloatingPointKind kind))
            return false;
        switch (kind)
        {
            // What shows or takes the unit's memory of instruction addresses, which here are the host's, and implicit operands.
            case FloatingPointKind.StoreEnvironment:
            case FloatingPointKind.LoadEnvironment:
            case FloatingPointKind.Save:
            case FloatingPointKind.Restore:
            case FloatingPointKind.FxSave:
            case FloatingPointKind.FxRestore:
            case FloatingPointKind.LoadMxcsr:
                return false;
        }

        if ((_mode & TranslationMode.TaskSwitched) != 0 || InstructionClassifier.IsMaskedStore(i.Mnemonic))
            return false;
        Instruction host = i;
        for (int operand = 0; operand < host.OpCount; operand++)
        {
            if (host.GetOpKind(operand) == OpKind.Register)
                host.SetOpRegister(operand, HostEmitter.ToHost(host.GetOpRegister(operand)));
        }

        EnsureFloatLoaded(i.IP32);
        return Place(ref host, in i) && _emit.TryEncode(in host);
    }

    private void EnsureFloatLoaded(uint eip)
    {
        if (_floatLoaded)
            return;

        // Containment: form 4.
        _emit.Bytes(0x49, 0x89, 0xC9); // mov r9, rcx
        _side.Add(_emit.Offset, eip, SideKind.InstructionWithEcxInR9);
        _emit.Bytes(0x41, 0x8B, 0x8D); // mov ecx, [r13 + FloatLive]
        _emit.UInt32(FloatLiveOffset);
        _emit.Bytes(0xE3, 0x02); // jrcxz load
        _emit.Bytes(0xEB, 0x13); // jmp loaded
        _emit.Bytes(0x41, 0x0F, 0xAE, 0x8D); // load: fxrstor [r13 + FxState]
        _emit.UInt32(CpuState.FxStateOffset);
        _emit.StoreState(FloatLiveOffset, 1);
        _emit.Bytes(0x4C, 0x89, 0xC9); // loaded: mov rcx, r9
        _side.Add(_emit.Offset, eip, SideKind.Instruction);
        _floatLoaded = true;
    }
}
