// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine;
using Lguest.Engine.Hypervisor;
using Lguest.Engine.Translator;
using Lguest.GuestAbi;

namespace Lguest.Tests.Contract;

// [M:190] One suite for every engine
/// <summary>
/// What every engine behind the channel must do, whatever it is made of: one suite, and a derived class of one line for each
/// engine. The parts are by subject; each test is a guest of a few instructions.
/// </summary>
/// <param name="kind">The engine under test.</param>
public abstract partial class EngineContract(EngineKind kind)
{
    private TinyGuest Start(Action<GuestProgram> program, IGuestTime? clock = null, Action<GuestMemory>? prepare = null, Generation? abi = null)
    {
        TinyGuest guest = new(kind, program, abi, clock, prepare);
        Adjust(guest);
        return guest;
    }

    /// <summary>Before a guest runs.</summary>
    private protected virtual void Adjust(TinyGuest guest)
    {
    }

    /// <summary>A guest that does nothing, for ever.</summary>
    private TinyGuest StartSpinning() => Start(g => g.Spin());
}

public sealed class InterpreterContract() : EngineContract(EngineKind.Interpreter);

/// <summary>The translator keeps it too, on hosts that can run it (x86-64 with FSGSBASE; elsewhere the suite fails, as it should where somebody asks for this engine).</summary>
public sealed class TranslatorContract() : EngineContract(EngineKind.Translator);

/// <summary>
/// The translator again, without the interpreter that goes ahead with programs over pages that are new to them: else most of a
/// short program in ring 3 is never translated.
/// </summary>
public sealed class TranslatedProgramsContract() : EngineContract(EngineKind.Translator)
{
    private protected override void Adjust(TinyGuest guest) =>
        ((TranslatorCore)guest.Guest.Core).InterpretsNewPages = false;
}

/// <summary>Both in lockstep: what either does alone, devices above all, must come to the same.</summary>
public sealed class CheckContract() : EngineContract(EngineKind.Check);
