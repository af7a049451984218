// SPDX-License-Identifier: GPL-2.0-or-later
using Iced.Intel;

namespace Lguest.Engine.FloatingPoint;

/// <summary>Which instructions are floating point on a Pentium 4-like 686, and how each kind is executed.</summary>
internal static class InstructionClassifier
{
    /// <summary>
    /// Sorts an instruction. Not floating point here, though CPUID counts them to SSE: fences, prefetches, MOVNTI, CLFLUSH and
    /// PAUSE; they never look at CR0.TS.
    /// </summary>
    /// <returns>False for an instruction that is none, or that came after SSE2.</returns>
    public static bool TryClassify(in Instruction instruction, out FloatingPointKind kind)
    {
        kind = default;
        if (!IsOffered(instruction.Code) || IsInteger(instruction.Mnemonic))
            return false;
        if (TryControl(instruction.Code, out kind))
            return true;

        bool mmx = Uses(instruction, mmx: true);
        bool xmm = Uses(instruction, mmx: false);
        FloatingPointKind sse = UsesMxcsr(instruction.Mnemonic);
        if ((xmm && mmx) || ConvertsMmx(instruction.Mnemonic))
            kind = FloatingPointKind.Mixed;
        else if (xmm || sse != FloatingPointKind.SseMove)
            kind = sse; // CVTSS2SI and its like name no XMM register when they read memory
        else if (instruction.RflagsRead != RflagsBits.None || instruction.RflagsModified != RflagsBits.None)
            kind = FloatingPointKind.LegacyFlags;
        else
            kind = FloatingPointKind.Legacy;
        return true;
    }

    /// <summary>
    /// x87 stores that leave memory alone when they meet an unmasked exception: their operand has to be read so that writing
    /// it back changes nothing.
    /// </summary>
    public static bool MayWithholdStore(Mnemonic mnemonic) =>
        mnemonic is Mnemonic.Fst or Mnemonic.Fstp or Mnemonic.Fist or Mnemonic.Fistp or Mnemonic.Fbstp;

    /// <summary>MASKMOVQ and MASKMOVDQU write some bytes at (%edi).</summary>
    public static bool IsMaskedStore(Mnemonic mnemonic) => mnemonic is Mnemonic.Maskmovq or Mnemonic.Maskmovdqu;

    /// <summary>Whether a 16-byte memory operand may lie anywhere (Intel SDM vol. 1, 4.1.1 and 11.3).</summary>
    public static bool AllowsUnaligned(Mnemonic mnemonic) =>
        mnemonic is Mnemonic.Movups or Mnemonic.Movupd or Mnemonic.Movdqu or Mnemonic.Maskmovdqu;

    private static bool IsOffered(Code code)
    {
        if (code == Code.INVALID)
            return false;
        if (code == Code.Wait)
            return true; // counted as 8086
        foreach (CpuidFeature feature in code.CpuidFeatures())
        {
            if (feature is not (CpuidFeature.FPU or CpuidFeature.FPU287 or CpuidFeature.FPU387 or CpuidFeature.CMOV
                or CpuidFeature.FXSR or CpuidFeature.MMX or CpuidFeature.SSE or CpuidFeature.SSE2))
            {
                return false;
            }
        }

        // CMOV counts only in company: FCMOVcc is FPU and CMOV.
        return code.Encoding() == EncodingKind.Legacy
            && !(code.CpuidFeatures().Length == 1 && code.CpuidFeatures()[0] == CpuidFeature.CMOV);
    }

    private static bool IsInteger(Mnemonic mnemonic) => mnemonic is Mnemonic.Sfence or Mnemonic.Lfence or Mnemonic.Mfence
        or Mnemonic.Prefetchnta or Mnemonic.Prefetcht0 or Mnemonic.Prefetcht1 or Mnemonic.Prefetcht2 or Mnemonic.Movnti;

    private static bool TryControl(Code code, out FloatingPointKind kind)
    {
        FloatingPointKind? found = code switch
        {
            Code.Fldcw_m2byte => FloatingPointKind.LoadControl,
            Code.Fnstcw_m2byte => FloatingPointKind.StoreControl,
            Code.Fnstsw_m2byte => FloatingPointKind.StoreStatus,
            Code.Fnstsw_AX => FloatingPointKind.StoreStatusRegister,
            Code.Fnclex => FloatingPointKind.ClearExceptions,
            Code.Fninit => FloatingPointKind.Initialize,
            Code.Wait => FloatingPointKind.Wait,
            Code.Fnstenv_m14byte or Code.Fnstenv_m28byte => FloatingPointKind.StoreEnvironment,
            Code.Fldenv_m14byte or Code.Fldenv_m28byte => FloatingPointKind.LoadEnvironment,
            Code.Fnsave_m94byte or Code.Fnsave_m108byte => FloatingPointKind.Save,
            Code.Frstor_m94byte or Code.Frstor_m108byte => FloatingPointKind.Restore,
            Code.Fxsave_m512byte => FloatingPointKind.FxSave,
            Code.Fxrstor_m512byte => FloatingPointKind.FxRestore,
            Code.Ldmxcsr_m32 => FloatingPointKind.LoadMxcsr,
            Code.Stmxcsr_m32 => FloatingPointKind.StoreMxcsr,
            Code.Fneni or Code.Fndisi or Code.Fnsetpm => FloatingPointKind.LegacyNoWait,
            _ => null,
        };
        kind = found.GetValueOrDefault();
        return found.HasValue;
    }

    private static bool Uses(in Instruction instruction, bool mmx)
    {
        for (int i = 0; i < instruction.OpCount; i++)
        {
            if (instruction.GetOpKind(i) != OpKind.Register)
                continue;
            Register register = instruction.GetOpRegister(i);
            if (mmx ? register.IsMM() : register.IsXMM())
                return true;
        }

        return false;
    }

    // With a memory operand only one kind of register is named.
    private static bool ConvertsMmx(Mnemonic mnemonic) => mnemonic is Mnemonic.Cvtpi2ps or Mnemonic.Cvtpi2pd
        or Mnemonic.Cvtps2pi or Mnemonic.Cvttps2pi or Mnemonic.Cvtpd2pi or Mnemonic.Cvttpd2pi;

    private static FloatingPointKind UsesMxcsr(Mnemonic mnemonic)
    {
        switch (mnemonic)
        {
            case Mnemonic.Comiss or Mnemonic.Comisd or Mnemonic.Ucomiss or Mnemonic.Ucomisd:
                return FloatingPointKind.SseCompare;
            case Mnemonic.Addps or Mnemonic.Addpd or Mnemonic.Addss or Mnemonic.Addsd
                or Mnemonic.Subps or Mnemonic.Subpd or Mnemonic.Subss or Mnemonic.Subsd
                or Mnemonic.Mulps or Mnemonic.Mulpd or Mnemonic.Mulss or Mnemonic.Mulsd
                or Mnemonic.Divps or Mnemonic.Divpd or Mnemonic.Divss or Mnemonic.Divsd
                or Mnemonic.Minps or Mnemonic.Minpd or Mnemonic.Minss or Mnemonic.Minsd
                or Mnemonic.Maxps or Mnemonic.Maxpd or Mnemonic.Maxss or Mnemonic.Maxsd
                or Mnemonic.Sqrtps or Mnemonic.Sqrtpd or Mnemonic.Sqrtss or Mnemonic.Sqrtsd
                or Mnemonic.Cmpps or Mnemonic.Cmppd or Mnemonic.Cmpss or Mnemonic.Cmpsd
                or Mnemonic.Rcpps or Mnemonic.Rcpss or Mnemonic.Rsqrtps or Mnemonic.Rsqrtss
                or Mnemonic.Cvtps2pd or Mnemonic.Cvtpd2ps or Mnemonic.Cvtss2sd or Mnemonic.Cvtsd2ss
                or Mnemonic.Cvtps2dq or Mnemonic.Cvttps2dq or Mnemonic.Cvtdq2ps or Mnemonic.Cvtpd2dq
                or Mnemonic.Cvttpd2dq or Mnemonic.Cvtdq2pd or Mnemonic.Cvtsi2ss or Mnemonic.Cvtsi2sd
                or Mnemonic.Cvtss2si or Mnemonic.Cvttss2si or Mnemonic.Cvtsd2si or Mnemonic.Cvttsd2si:
                return FloatingPointKind.SseArithmetic;
            default:
                return FloatingPointKind.SseMove;
        }
    }
}
