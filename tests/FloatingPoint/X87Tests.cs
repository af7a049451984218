// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using Lguest.Engine.Cpu;
using Lguest.Engine.FloatingPoint;
using Lguest.Engine.Native;
using Lguest.GuestAbi;

namespace Lguest.Tests.FloatingPoint;

public sealed unsafe class X87Tests : IDisposable
{
    private const ushort UnmaskZeroDivide = 0x037F & ~4;

    private readonly Machine _machine = new();

    public void Dispose() => _machine.Dispose();

    private void PushDouble(double value)
    {
        BinaryPrimitives.WriteDoubleLittleEndian(_machine.Scratch, value);
        Assert.Equal(0, _machine.Run(0xDD, 0x00)); // fld qword
    }

    private void LoadControl(ushort value)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(_machine.Scratch, value);
        Assert.Equal(0, _machine.Run(0xD9, 0x28));
    }

    // 1 / 0 with that exception unmasked: it stays pending.
    private void DivideByZero()
    {
        LoadControl(UnmaskZeroDivide);
        Assert.Equal(0, _machine.Run(0xD9, 0xE8)); // fld1
        Assert.Equal(0, _machine.Run(0xD9, 0xEE)); // fldz
        Assert.Equal(0, _machine.Run(0xD8, 0xF9)); // fdivr st, st(1): 1 / 0
    }

    [Fact]
    public void AddsMultipliesAndTakesRoots()
    {
        PushDouble(2.25);
        PushDouble(4);
        Assert.Equal(0, _machine.Run(0xD8, 0xC9)); // fmul st, st(1)
        Assert.Equal(9.0, _machine.Top);
        Assert.Equal(0, _machine.Run(0xD9, 0xFA)); // fsqrt
        Assert.Equal(3.0, _machine.Top);
        Assert.Equal(0, _machine.Run(0xDE, 0xC1)); // faddp st(1), st
        Assert.Equal(5.25, _machine.Top);
    }

    [Fact]
    public void RoundsAsTheControlWordSays()
    {
        PushDouble(2.5);
        foreach ((ushort rounding, int expected) in new[] { ((ushort)0x037F, 2), ((ushort)0x077F, 2), ((ushort)0x0B7F, 3), ((ushort)0x0F7F, 2) })
        {
            LoadControl(rounding);
            Assert.Equal(0, _machine.Run(0xDB, 0x10)); // fist dword
            Assert.Equal(expected, BinaryPrimitives.ReadInt32LittleEndian(_machine.Scratch));
        }
    }

    [Fact]
    public void ComparesIntoEFlags()
    {
        PushDouble(1);
        PushDouble(double.NaN);
        _machine.Cpu->Arch.Flags = EFlags.Overflow | EFlags.Direction | EFlags.Fixed;
        Assert.Equal(0, _machine.Run(0xDB, 0xE9)); // fucomi
        Assert.Equal(EFlags.Zero | EFlags.Parity | EFlags.Carry, _machine.Cpu->Arch.Flags & (EFlags.Zero | EFlags.Parity | EFlags.Carry));
        Assert.Equal(EFlags.Direction, _machine.Cpu->Arch.Flags & EFlags.Direction);
    }

    [Theory]
    [InlineData(EFlags.Carry, 1.0)]
    [InlineData(0u, 2.0)]
    public void MovesOnCondition(uint flags, double expected)
    {
        PushDouble(1);
        PushDouble(2);
        _machine.Cpu->Arch.Flags = flags | EFlags.Fixed;
        Assert.Equal(0, _machine.Run(0xDA, 0xC1)); // fcmovb st, st(1)
        Assert.Equal(expected, _machine.Top);
        Assert.Equal(flags | EFlags.Fixed, _machine.Cpu->Arch.Flags);
    }

    [Fact]
    public void APendingExceptionIsRaisedByTheNextWaitingInstruction()
    {
        DivideByZero();
        Assert.Equal(0x8084, _machine.Image->Status & 0x80BF);
        byte[] before = new Span<byte>(_machine.Image, 512).ToArray();
        Assert.Equal(ExceptionVector.MathFault, _machine.Run(0xD9, 0xE8));       // fld1
        Assert.Equal(ExceptionVector.MathFault, _machine.Run(0x9B));             // fwait
        Assert.Equal(ExceptionVector.MathFault, _machine.Run(0x0F, 0xEF, 0xC0)); // pxor mm0, mm0
        Assert.Equal(ExceptionVector.MathFault, _machine.Run(0x0F, 0x77));       // emms
        Assert.Equal(ExceptionVector.MathFault, _machine.Run(0xF3, 0x0F, 0xD6, 0xC0)); // movq2dq xmm0, mm0
        Assert.Equal(before, new Span<byte>(_machine.Image, 512).ToArray());
    }

    [Fact]
    public void OthersDoNotWait()
    {
        DivideByZero();
        Assert.Equal(0, _machine.Run(0xDF, 0xE0)); // fnstsw %ax
        Assert.Equal(_machine.Image->Status, (ushort)_machine.Cpu->Arch.Registers[0]);
        Assert.Equal(0, _machine.Run(0x0F, 0x58, 0xC1)); // addps
        Assert.Equal(0, _machine.Run(0x0F, 0xAE, 0x00)); // fxsave
        Assert.Equal(0, _machine.Run(0xDB, 0xE2));       // fnclex
        Assert.Equal(0, _machine.Image->Status & 0x80FF);
        Assert.Equal(0, _machine.Run(0xD9, 0xE8));       // fld1
    }

    [Fact]
    public void UnmaskingMakesAnOldExceptionPending()
    {
        Assert.Equal(0, _machine.Run(0xD9, 0xE8)); // fld1
        Assert.Equal(0, _machine.Run(0xD9, 0xEE)); // fldz
        Assert.Equal(0, _machine.Run(0xD8, 0xF9)); // fdivr, masked
        Assert.Equal(double.PositiveInfinity, _machine.Top);
        LoadControl(UnmaskZeroDivide);
        Assert.Equal(ExceptionVector.MathFault, _machine.Run(0xD9, 0xE8));
    }

    [Fact]
    public void RemembersWhereTheLastInstructionWas()
    {
        _machine.Cpu->Arch.Cs.Selector = 0x73;
        _machine.Cpu->Arch.Ds.Selector = 0x7B;
        _machine.Cpu->Arch.Ds.Base = 0x1000;
        _machine.Cpu->Arch.Eip = 0xC0101234;
        _machine.Cpu->Interpreter.EffectiveAddress = 0x5000;
        PushDouble(1);
        Assert.Equal(0, _machine.Run(0xD9, 0x30)); // fnstenv
        Span<byte> environment = _machine.Scratch;
        Assert.Equal(0xC0101234, BinaryPrimitives.ReadUInt32LittleEndian(environment[12..]));
        Assert.Equal(0x05000073u, BinaryPrimitives.ReadUInt32LittleEndian(environment[16..]));
        Assert.Equal(0x4000u, BinaryPrimitives.ReadUInt32LittleEndian(environment[20..]));
        Assert.Equal(0x7B, BinaryPrimitives.ReadUInt16LittleEndian(environment[24..]));
    }

    [Theory]
    [InlineData(28, new byte[] { 0xD9, 0x30 })]
    [InlineData(14, new byte[] { 0x66, 0xD9, 0x30 })]
    [InlineData(108, new byte[] { 0xDD, 0x30 })]
    [InlineData(94, new byte[] { 0x66, 0xDD, 0x30 })]
    public void KnowsTheSizesOfTheStateInMemory(int expected, byte[] code)
    {
        FloatingPointOperation? operation = _machine.Compile(code);
        Assert.NotNull(operation);
        Assert.Equal((expected, true, false), (operation.OperandBytes, operation.Writes, operation.Reads));
    }

    [Fact]
    public void SavesAndRestores()
    {
        PushDouble(1.5);
        PushDouble(0);
        PushDouble(double.NegativeInfinity);
        Assert.Equal(0, _machine.Run(0xDD, 0x30)); // fnsave
        ushort tags = BinaryPrimitives.ReadUInt16LittleEndian(_machine.Scratch[8..]);
        Assert.Equal(0b00_01_10_11_11_11_11_11, tags);
        Assert.Equal((FxImage.ControlInitial, 0, 0), (_machine.Image->Control, _machine.Image->Status, _machine.Image->Tags));
        Assert.Equal(0, _machine.Run(0xDD, 0x20)); // frstor
        Assert.Equal(double.NegativeInfinity, _machine.Top);
        Assert.Equal(0, _machine.Run(0xDD, 0xDA)); // fstp st(2)
        Assert.Equal(0, _machine.Run(0xD9, 0xC9)); // fxch
        Assert.Equal(double.NegativeInfinity, _machine.Top);
    }

    [Fact]
    public void InitializingKeepsRegistersInPlace()
    {
        PushDouble(7); // physical register 7
        Assert.Equal(0, _machine.Run(0xDB, 0xE3)); // fninit
        _machine.Image->Tags = 0xFF;
        Assert.Equal(0, _machine.Run(0xD9, 0xF6)); // fdecstp: back to it
        Assert.Equal(7.0, _machine.Top);
    }

    [Fact]
    public void LoadingAnEnvironmentKeepsRegistersInPlace()
    {
        PushDouble(7);
        Assert.Equal(0, _machine.Run(0xD9, 0x30)); // fnstenv with TOP = 7
        byte[] environment = _machine.Scratch[..28].ToArray();
        PushDouble(8);
        environment.CopyTo(_machine.Scratch);
        Assert.Equal(0, _machine.Run(0xD9, 0x20)); // fldenv
        Assert.Equal(7.0, _machine.Top);
    }

    [Fact]
    public void AnUnmaskedInvalidStoreLeavesMemoryAlone()
    {
        FloatingPointOperation? store = _machine.Compile(0xDF, 0x10); // fist word
        Assert.NotNull(store);
        Assert.True(store.Reads);
        PushDouble(1e9);
        LoadControl(0x037E);
        _machine.Scratch[..2].Fill(0xA5);
        Assert.Equal(0, store.Execute(_machine.Cpu));
        Assert.Equal(new byte[] { 0xA5, 0xA5 }, _machine.Scratch[..2].ToArray());
        Assert.Equal(ExceptionVector.MathFault, _machine.Run(0x9B));
    }

    [Fact]
    public void TheHostNeverSeesThePendingException()
    {
        DivideByZero();
        Assert.NotEqual(0, _machine.Image->Status & FxImage.StatusErrorSummary);
        using CodeArena arena = new(4096);
        var status = (delegate* unmanaged[SuppressGCTransition]<uint>)arena.Append([0x31, 0xC0, 0xDF, 0xE0, 0xC3]); // fnstsw %ax
        Assert.Equal(0u, status());
    }
}
