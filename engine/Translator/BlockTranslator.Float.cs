// SPDX-License-Identifier: GPL-2.0-or-later
using Iced.Intel;
using Lguest.Engine.Cpu;
using Lguest.Engine.Native;

namespace Lguest.Engine.Translator;

/// <summary>
/// x87, MMX, SSE and SSE2 run on the host's own registers. C# uses those too, so the guest's are brought in by the first
/// such instruction of a block that finds them at home, and sent home whenever translated code is left.
/// </summary>
internal sealed unsafe partial class BlockTranslator
{
    private bool _floatLoaded;

    /// <summary>An instruction of the floating point unit, natively. False: the interpreter's, which raises what TS asks for.</summary>
    private bool Float(in Instruction i)
    {
        if ((_mode & TranslationMode.TaskSwitched) != 0)
            return false;
        Instruction host = i;
        for (int operand = 0; operand < host.OpCount; operand++)
        {
            if (host.GetOpKind(operand) == OpKind.Register)
                host.SetOpRegister(operand, HostRegister.Of(host.GetOpRegister(operand)));
        }

        EnsureFloatLoaded(i.IP32);
        return Place(ref host, in i) && _emit.TryEncode(in host);
    }

    private void EnsureFloatLoaded(uint eip)
    {
        if (_floatLoaded)
            return;

        // Containment: form 4.
        _emit.Move64(Register.R9, Register.RCX);
        _side.Add(_emit.Offset, eip, SideKind.InstructionWithEcxInR9);
        _emit.Load32(Register.ECX, State.FloatLive);
        HostLabel load = _emit.JumpIfRcxIsZero();
        HostLabel loaded = _emit.JumpShort();
        _emit.Bind(load);
        _emit.LoadFloats(State.FxState);
        _emit.Store(State.FloatLive, 1);
        _emit.Bind(loaded);
        _emit.Move64(Register.RCX, Register.R9);
        _side.Add(_emit.Offset, eip, SideKind.Instruction);
        _floatLoaded = true;
    }
}
