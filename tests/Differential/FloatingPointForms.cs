// SPDX-License-Identifier: GPL-2.0-or-later
using Iced.Intel;
using Lguest.Engine.Instructions;

namespace Lguest.Tests.Differential;

/// <summary>
/// The forms of x87, MMX, SSE and SSE2, all of them: what the catalogue has, encoded as the decoder's tables say. MOVNTI, fences and
/// prefetches came with SSE, too.
/// </summary>
internal static class FloatingPointForms
{
    public static IReadOnlyList<(Code Code, InstructionForm Form)> All { get; } =
        [.. Enum.GetValues<Code>().Where(IsOffered).Select(code => (code, Make(code.ToOpCode())))];

    private static bool IsOffered(Code code)
    {
        OpCodeInfo info = code.ToOpCode();
        if (!info.IsInstruction || !info.Mode32 || info.Fwait || info.Encoding != EncodingKind.Legacy)
            return false;
        ref readonly InstructionLine line = ref InstructionCatalog.Of(code);
        return line.Family == HandlerFamily.FloatingPoint || (line.Family != HandlerFamily.Undefined && code.CpuidFeatures() is [CpuidFeature.SSE or CpuidFeature.SSE2]);
    }

    private static InstructionForm Make(OpCodeInfo info)
    {
        List<byte> opcode = [];
        if (info.Table == OpCodeTableKind.T0F)
            opcode.Add(0x0F);
        if (info.OpCodeLength == 2)
            opcode.Add((byte)(info.OpCode >> 8));
        opcode.Add((byte)info.OpCode);

        InstructionForm form = new()
        {
            Line = info.ToInstructionString(),
            Opcode = [.. opcode],
            Extension = info.GroupIndex,
            OperandSizeAllowed = false,
            Prefix = info.MandatoryPrefix switch
            {
                MandatoryPrefix.P66 => [0x66],
                MandatoryPrefix.PF3 => [0xF3],
                MandatoryPrefix.PF2 => [0xF2],
                _ => info.OperandSize == 16 ? [0x66] : [],
            },
        };
        bool memory = false, onlyMemory = false;
        for (int i = 0; i < info.OpCount; i++)
        {
            switch (info.GetOpKind(i))
            {
                case OpCodeOperandKind.imm8:
                    form.ImmediateBytes = 1;
                    break;
                case OpCodeOperandKind.sti_opcode:
                    form.AddsRegister = true;
                    break;
                case OpCodeOperandKind.st0 or OpCodeOperandKind.ax or OpCodeOperandKind.seg_rDI:
                    break;
                case OpCodeOperandKind.mem:
                    memory = onlyMemory = form.HasModRm = true;
                    break;
                case OpCodeOperandKind.xmm_or_mem or OpCodeOperandKind.mm_or_mem or OpCodeOperandKind.r32_or_mem:
                    memory = form.HasModRm = true;
                    break;
                default:
                    form.HasModRm = true;
                    break;
            }
        }

        form.HasModRm |= form.Extension >= 0;
        form.MemoryAllowed = memory;
        form.RegisterAllowed = !onlyMemory;
        form.Alignment = 16;
        return form;
    }
}
