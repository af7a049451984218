// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Engine.Instructions;

/// <summary>How a floating-point instruction is executed.</summary>
internal enum FloatingPointKind : byte
{
    /// <summary>SSE that neither looks at MXCSR nor changes it: a stub with just the registers it names. With MMX registers: <see cref="Legacy"/>.</summary>
    SseMove,

    /// <summary>SSE arithmetic: the same under the guest's MXCSR, masked.</summary>
    SseArithmetic,

    /// <summary>SSE comparison into EFLAGS.</summary>
    SseCompare,

    /// <summary>x87 or MMX: between FXRSTOR and FXSAVE of the whole image.</summary>
    Legacy,

    /// <summary>x87 comparison into EFLAGS (FCOMI), or a conditional move from them.</summary>
    LegacyFlags,

    /// <summary>An x87 control instruction without effect: does not check for pending exceptions.</summary>
    LegacyNoWait,

    /// <summary>Both MMX and SSE: as <see cref="Legacy"/>, with MXCSR masked.</summary>
    Mixed,

    /// <summary>FLDCW.</summary>
    LoadControl,

    /// <summary>FNSTCW.</summary>
    StoreControl,

    /// <summary>FNSTSW to memory.</summary>
    StoreStatus,

    /// <summary>FNSTSW %ax.</summary>
    StoreStatusRegister,

    /// <summary>FNCLEX.</summary>
    ClearExceptions,

    /// <summary>FNINIT.</summary>
    Initialize,

    /// <summary>FWAIT.</summary>
    Wait,

    /// <summary>FNSTENV.</summary>
    StoreEnvironment,

    /// <summary>FLDENV.</summary>
    LoadEnvironment,

    /// <summary>FNSAVE.</summary>
    Save,

    /// <summary>FRSTOR.</summary>
    Restore,

    /// <summary>FXSAVE.</summary>
    FxSave,

    /// <summary>FXRSTOR.</summary>
    FxRestore,

    /// <summary>LDMXCSR.</summary>
    LoadMxcsr,

    /// <summary>STMXCSR.</summary>
    StoreMxcsr,
}
