// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Lguest.Engine.Cpu;
using Lguest.Engine.FloatingPoint;
using Lguest.GuestAbi;

namespace Lguest.Tests.FloatingPoint;

public sealed unsafe class SseTests : IDisposable
{
    private const uint Invalid = 1, ZeroDivide = 4, Underflow = 0x10, Precision = 0x20;

    private static readonly float TwiceLeastNormal = BitConverter.UInt32BitsToSingle(0x0100_0000);

    private readonly Machine _machine = new();

    public void Dispose() => _machine.Dispose();

    private void Unmask(uint exceptions) => _machine.Image->Mxcsr = 0x1F80 & ~(exceptions << 7);

    [Fact]
    public void AddsPackedSingles()
    {
        _machine.SetXmm(1, 1, 2, 3, 4);
        _machine.SetXmm(6, 10, 20, 30, 40);
        Assert.Equal(0, _machine.Run(0x0F, 0x58, 0xCE)); // addps xmm1, xmm6
        Assert.Equal(new float[] { 11, 22, 33, 44 }, _machine.Xmm(1));
        Assert.Equal(new float[] { 10, 20, 30, 40 }, _machine.Xmm(6));
    }

    [Fact]
    public void AddsFromMemory()
    {
        FloatingPointOperation? add = _machine.Compile(0x0F, 0x58, 0x0D, 0x78, 0x56, 0x34, 0x12); // addps xmm1, [0x12345678]
        Assert.NotNull(add);
        Assert.Equal((16, true, false, 16u), (add.OperandBytes, add.Reads, add.Writes, add.AlignmentRequired));
        MemoryMarshal.Cast<byte, float>(_machine.Scratch)[2] = 5;
        _machine.SetXmm(1, 1, 1, 1, 1);
        Assert.Equal(0, add.Execute(_machine.Cpu));
        Assert.Equal(new float[] { 1, 1, 6, 1 }, _machine.Xmm(1));
    }

    [Fact]
    public void AnUnmaskedExceptionCommitsNothingButItsFlag()
    {
        Unmask(ZeroDivide);
        _machine.SetXmm(0, 1, 1, 1, 1);
        Assert.Equal(ExceptionVector.SimdException, _machine.Run(0x0F, 0x5E, 0xC1)); // divps xmm0, xmm1
        Assert.Equal(new float[] { 1, 1, 1, 1 }, _machine.Xmm(0));
        Assert.Equal(ZeroDivide, _machine.Image->Mxcsr & 0x3F);
    }

    [Fact]
    public void AMaskedExceptionSetsItsFlagForGood()
    {
        _machine.SetXmm(0, 1, 1, 1, 1);
        Assert.Equal(0, _machine.Run(0x0F, 0x5E, 0xC1));
        Assert.All(_machine.Xmm(0), value => Assert.Equal(float.PositiveInfinity, value));
        Assert.Equal(0, _machine.Run(0x0F, 0x58, 0xC0)); // addps: exact
        Assert.Equal(ZeroDivide, _machine.Image->Mxcsr & 0x3F);
    }

    [Fact]
    public void AnExactDenormalResultIsAnUnderflowOnlyWhenUnmasked()
    {
        _machine.SetXmm(0, TwiceLeastNormal, 1, 1, 1);
        _machine.SetXmm(1, 0.25f, 1, 1, 1);
        Assert.Equal(0, _machine.Run(0x0F, 0x59, 0xC1)); // mulps
        Assert.Equal(0u, _machine.Image->Mxcsr & 0x3F);
        Unmask(Underflow);
        _machine.SetXmm(0, TwiceLeastNormal, 1, 1, 1);
        Assert.Equal(ExceptionVector.SimdException, _machine.Run(0x0F, 0x59, 0xC1));
        Assert.Equal(Underflow, _machine.Image->Mxcsr & 0x3F);
        Assert.Equal(TwiceLeastNormal, _machine.Xmm(0)[0]);
    }

    [Fact]
    public void WithUnderflowUnmaskedOthersStillComplete()
    {
        Unmask(Underflow);
        _machine.SetXmm(0, 1, 1, 1, 1);
        _machine.SetXmm(1, 3, 3, 3, 3);
        Assert.Equal(0, _machine.Run(0x0F, 0x5E, 0xC1)); // divps: inexact
        Assert.Equal(1f / 3, _machine.Xmm(0)[3]);
        Assert.Equal(Precision, _machine.Image->Mxcsr & 0x3F);
        Assert.Equal(0x1F80u & ~(Underflow << 7), _machine.Image->Mxcsr & ~0x3Fu);
    }

    [Fact]
    public void ComparesIntoEFlags()
    {
        _machine.SetXmm(0, 1);
        _machine.SetXmm(1, 2);
        _machine.Cpu->Arch.Flags = EFlags.Zero | EFlags.Direction | EFlags.Fixed;
        Assert.Equal(0, _machine.Run(0x0F, 0x2E, 0xC1)); // ucomiss xmm0, xmm1
        Assert.Equal(EFlags.Carry | EFlags.Direction | EFlags.Fixed, _machine.Cpu->Arch.Flags);
        _machine.SetXmm(1, float.NaN);
        Unmask(Invalid);
        Assert.Equal(0, _machine.Run(0x0F, 0x2E, 0xC1)); // quiet
        Assert.Equal(EFlags.Zero | EFlags.Parity | EFlags.Carry, _machine.Cpu->Arch.Flags & EFlags.Arithmetic);
        _machine.Cpu->Arch.Flags = EFlags.Fixed;
        Assert.Equal(ExceptionVector.SimdException, _machine.Run(0x0F, 0x2F, 0xC1)); // comiss
        Assert.Equal(EFlags.Fixed, _machine.Cpu->Arch.Flags);
    }

    [Fact]
    public void ConvertsToAndFromGeneralRegisters()
    {
        _machine.Cpu->Arch.Registers[(int)GeneralRegister.Esi] = unchecked((uint)-7);
        Assert.Equal(0, _machine.Run(0xF2, 0x0F, 0x2A, 0xD6)); // cvtsi2sd xmm2, esi
        Assert.Equal(0, _machine.Run(0xF2, 0x0F, 0x2C, 0xFA)); // cvttsd2si edi, xmm2
        Assert.Equal(unchecked((uint)-7), _machine.Cpu->Arch.Registers[(int)GeneralRegister.Edi]);
        Assert.Equal(0, _machine.Run(0x66, 0x0F, 0x50, 0xE2)); // movmskpd esp, xmm2
        Assert.Equal(1u, _machine.Cpu->Arch.Registers[(int)GeneralRegister.Esp]);
        Assert.Equal(0, _machine.Run(0x66, 0x0F, 0xC5, 0xC2, 0x03)); // pextrw eax, xmm2, 3
        Assert.Equal(0xC01Cu, _machine.Cpu->Arch.Registers[(int)GeneralRegister.Eax]);
    }

    [Fact]
    public void AFailedConversionLeavesTheRegister()
    {
        Unmask(Invalid);
        _machine.SetXmm(0, float.NaN);
        _machine.Cpu->Arch.Registers[3] = 42;
        Assert.Equal(ExceptionVector.SimdException, _machine.Run(0xF3, 0x0F, 0x2C, 0xD8)); // cvttss2si ebx, xmm0
        Assert.Equal(42u, _machine.Cpu->Arch.Registers[3]);
    }

    [Fact]
    public void MixedConversionsAreTakenBackOnAnException()
    {
        BinaryPrimitives.WriteInt32LittleEndian(_machine.Scratch, 0x01000001);
        BinaryPrimitives.WriteInt32LittleEndian(_machine.Scratch[4..], 3);
        Assert.Equal(0, _machine.Run(0x0F, 0x6F, 0x00)); // movq mm0, qword
        Unmask(Precision);
        _machine.SetXmm(5, 9, 9, 9, 9);
        Assert.Equal(ExceptionVector.SimdException, _machine.Run(0x0F, 0x2A, 0xE8)); // cvtpi2ps xmm5, mm0
        Assert.Equal(9f, _machine.Xmm(5)[0]);
        Assert.Equal(0x1F80u & ~(Precision << 7) | Precision, _machine.Image->Mxcsr);
        _machine.Image->Mxcsr = 0x1F80;
        Assert.Equal(0, _machine.Run(0x0F, 0x2A, 0xE8));
        Assert.Equal(new float[] { 16777216, 3, 9, 9 }, _machine.Xmm(5));
        Assert.Equal(0x1F80u | Precision, _machine.Image->Mxcsr);
    }

    [Fact]
    public void ReservedMxcsrBitsAreRefused()
    {
        BinaryPrimitives.WriteUInt32LittleEndian(_machine.Scratch, 0x10000);
        Assert.Equal(ExceptionVector.GeneralProtection, _machine.Run(0x0F, 0xAE, 0x10)); // ldmxcsr
        Assert.Equal(0x1F80u, _machine.Image->Mxcsr);
        Assert.Equal(0, _machine.Run(0x0F, 0xAE, 0x18)); // stmxcsr
        Assert.Equal(0x1F80u, BinaryPrimitives.ReadUInt32LittleEndian(_machine.Scratch));
    }

    [Fact]
    public void FxSaveAndFxRestoreCarryEverything()
    {
        _machine.SetXmm(7, 1, 2, 3, 4);
        Assert.Equal(0, _machine.Run(0xD9, 0xEB)); // fldpi
        FloatingPointOperation? save = _machine.Compile(0x0F, 0xAE, 0x00);
        Assert.NotNull(save);
        Assert.Equal((512, true, true, 16u), (save.OperandBytes, save.Reads, save.Writes, save.AlignmentRequired));
        _machine.Scratch[288] = 0x5A;
        Assert.Equal(0, save.Execute(_machine.Cpu));
        Assert.Equal(0x5A, _machine.Scratch[288]);
        _machine.SetXmm(7, 0, 0, 0, 0);
        Assert.Equal(0, _machine.Run(0xDB, 0xE3)); // fninit
        Assert.Equal(0, _machine.Run(0x0F, 0xAE, 0x08)); // fxrstor
        Assert.Equal(Math.PI, _machine.Top);
        Assert.Equal(new float[] { 1, 2, 3, 4 }, _machine.Xmm(7));
        BinaryPrimitives.WriteUInt32LittleEndian(_machine.Scratch[24..], 0xFFFF_FFFF);
        Assert.Equal(ExceptionVector.GeneralProtection, _machine.Run(0x0F, 0xAE, 0x08));
    }

    [Fact]
    public void OperationsAreToldApartByEveryRegister()
    {
        FloatingPointOperation? first = _machine.Compile(0x66, 0x0F, 0xF7, 0xC1); // maskmovdqu xmm0, xmm1
        Assert.Same(first, _machine.Compile(0x66, 0x0F, 0xF7, 0xC1));
        Assert.NotSame(first, _machine.Compile(0x66, 0x0F, 0xF7, 0xC2));
        Assert.NotSame(first, _machine.Compile(0x66, 0x0F, 0xF7, 0xC9));
    }

    [Fact]
    public void ConversionsFromMemoryKnowTheirExceptions()
    {
        // No XMM register is named, and yet it is MXCSR that counts.
        Unmask(Invalid);
        BinaryPrimitives.WriteSingleLittleEndian(_machine.Scratch, float.NaN);
        Assert.Equal(ExceptionVector.SimdException, _machine.Run(0xF3, 0x0F, 0x2C, 0x18)); // cvttss2si ebx, dword
        Assert.Equal(ExceptionVector.SimdException, _machine.Run(0x0F, 0x2C, 0x18));       // cvttps2pi mm3, qword
        Assert.Equal(0xFF, _machine.Image->Tags);
    }

    [Fact]
    public void MaskedStoresWriteTheBytesOfTheMask()
    {
        FloatingPointOperation? store = _machine.Compile(0x66, 0x0F, 0xF7, 0xC1); // maskmovdqu xmm0, xmm1
        Assert.NotNull(store);
        Assert.Equal((true, 16, true, true, 1u), (store.ImplicitDestination, store.OperandBytes, store.Reads, store.Writes, store.AlignmentRequired));
        new Span<byte>(_machine.Image->Xmm, 16).Fill(7);
        (_machine.Image->Xmm + 16)[3] = 0x80;
        _machine.Scratch[..16].Fill(1);
        Assert.Equal(0, store.Execute(_machine.Cpu));
        Assert.Equal(new byte[] { 1, 1, 1, 7, 1, 1 }, _machine.Scratch[..6].ToArray());
    }

    [Fact]
    public void MmxAliasesTheX87Registers()
    {
        _machine.Cpu->Arch.Registers[0] = 0x01020304;
        Assert.Equal(0, _machine.Run(0x0F, 0x6E, 0xD8)); // movd mm3, eax
        Assert.Equal(0xFF, _machine.Image->Tags);
        Assert.Equal(0x01020304u, *(uint*)(_machine.Image->Stack + 48));
        Assert.Equal(0xFFFF, *(ushort*)(_machine.Image->Stack + 56));
        Assert.Equal(0, _machine.Run(0x0F, 0xFC, 0xDB)); // paddb mm3, mm3
        Assert.Equal(0, _machine.Run(0x0F, 0x7E, 0xD9)); // movd ecx, mm3
        Assert.Equal(0x02040608u, _machine.Cpu->Arch.Registers[1]);
        Assert.Equal(0, _machine.Run(0x0F, 0x77)); // emms
        Assert.Equal(0, _machine.Image->Tags);
    }

    [Theory]
    [InlineData(new byte[] { 0xF2, 0x0F, 0x7C, 0xC1 })]             // haddps: SSE3
    [InlineData(new byte[] { 0xF2, 0x0F, 0xF0, 0x00 })]             // lddqu: SSE3
    [InlineData(new byte[] { 0xDD, 0x08 })]                         // fisttp: SSE3
    [InlineData(new byte[] { 0x0F, 0x38, 0x00, 0xC1 })]             // pshufb: SSSE3
    [InlineData(new byte[] { 0x66, 0x0F, 0x3A, 0x14, 0xC0, 0x00 })] // pextrb: SSE4.1
    [InlineData(new byte[] { 0xC5, 0xF8, 0x58, 0xC1 })]             // vaddps: AVX
    [InlineData(new byte[] { 0x0F, 0x0F, 0xC1, 0x9E })]             // pfadd: 3DNow!
    [InlineData(new byte[] { 0x0F, 0x34 })]                         // sysenter
    [InlineData(new byte[] { 0x0F, 0xAE, 0xE8 })]                   // lfence
    [InlineData(new byte[] { 0x0F, 0xC3, 0x00 })]                   // movnti
    [InlineData(new byte[] { 0x0F, 0x18, 0x00 })]                   // prefetchnta
    [InlineData(new byte[] { 0x0F, 0xAE, 0x38 })]                   // clflush
    [InlineData(new byte[] { 0xF3, 0x90 })]                         // pause
    [InlineData(new byte[] { 0x0F, 0x42, 0xC1 })]                   // cmovb
    [InlineData(new byte[] { 0x01, 0xC1 })]                         // add
    public void LeavesTheRestToOthers(byte[] code) => Assert.Null(_machine.Compile(code));
}
