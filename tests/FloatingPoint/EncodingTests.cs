// SPDX-License-Identifier: GPL-2.0-or-later
using Iced.Intel;
using Lguest.Engine.FloatingPoint;

namespace Lguest.Tests.FloatingPoint;

public sealed class EncodingTests
{
    // Everything a Pentium 4 offers has to have a stub on a 64-bit host; found by decoding all opcodes there are.
    [Fact]
    public void EveryInstructionCanBeBuilt()
    {
        using FloatingPointUnit unit = new();
        HashSet<Code> built = [];
        byte[] buffer = new byte[16];
        foreach (byte[] prefix in new byte[][] { [], [0x66], [0xF2], [0xF3] })
        {
            foreach (bool escaped in new[] { false, true })
            {
                for (int opcode = 0; opcode < 256; opcode++)
                {
                    for (int modrm = 0; modrm < 256; modrm++)
                    {
                        if (modrm is > 0x0F and < 0xC0 && (modrm & 7) != 0)
                            continue;
                        Array.Clear(buffer);
                        int length = 0;
                        foreach (byte value in prefix)
                            buffer[length++] = value;
                        if (escaped)
                            buffer[length++] = 0x0F;
                        buffer[length++] = (byte)opcode;
                        buffer[length] = (byte)modrm;
                        Instruction instruction = Decoder.Create(32, buffer).Decode();
                        if (unit.Compile(instruction) != null)
                            built.Add(instruction.Code);
                    }
                }
            }
        }

        // As many as the feature bits name.
        IEnumerable<Code> expected = Enum.GetValues<Code>().Where(code => code.ToOpCode().Mode32 && !code.ToOpCode().Fwait
            && Supported(code.CpuidFeatures()) && code.Encoding() == EncodingKind.Legacy && code.ToOpCode().IsInstruction && !IsInteger(code));
        Assert.Empty(expected.Except(built));
        Assert.Contains(Code.Wait, built);
        Assert.InRange(built.Count, 400, 600);
    }

    private static bool IsInteger(Code code) => code.Mnemonic() is Mnemonic.Sfence or Mnemonic.Lfence or Mnemonic.Mfence
        or Mnemonic.Prefetchnta or Mnemonic.Prefetcht0 or Mnemonic.Prefetcht1 or Mnemonic.Prefetcht2 or Mnemonic.Movnti;

    private static bool Supported(CpuidFeature[] features) => features.Any(feature => feature != CpuidFeature.CMOV)
        && features.All(feature => feature is CpuidFeature.FPU or CpuidFeature.FPU287 or CpuidFeature.FPU387 or CpuidFeature.CMOV
            or CpuidFeature.FXSR or CpuidFeature.MMX or CpuidFeature.SSE or CpuidFeature.SSE2);
}
