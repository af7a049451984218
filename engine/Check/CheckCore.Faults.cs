// SPDX-License-Identifier: GPL-2.0-or-later
using Iced.Intel;
using Lguest.Engine.Cpu;
using Lguest.Engine.FloatingPoint;
using Lguest.Engine.Instructions;
using Lguest.Engine.Memory.PageTables;
using Lguest.GuestAbi;

namespace Lguest.Engine.Check;

/// <summary>
/// What an instruction may have done when it faults, as the processor's makers saw fit. The translator's instructions are the
/// processor's; so the interpreter's outcome is made to agree, in just that.
/// </summary>
public sealed unsafe partial class CheckCore
{
    private const int ExtendedBytes = 10;

    /// <summary>Whose processor the translator's instructions run on; set by tests only.</summary>
    internal ProcessorVendor Vendor { get; init; } = HostProcessor.Vendor;

    private void ForgiveFault(ref Stretch stretch, in CpuExit exit)
    {
        if (exit.Kind != ExitKind.Exception || !stretch.HasExit || stretch.Exit.Vector != exit.Vector || stretch.Exit.InstructionEip != exit.InstructionEip)
            return;
        Instruction instruction = DisagreementReport.Decode([exit.InstructionEip], Fetch).First();
        FxImage* expected = &_oracle.Cpu->Arch.Float;
        FxImage* actual = &Cpu->Arch.Float;
        switch (exit.Vector)
        {
            case ExceptionVector.DivideError:
                // A division that does not come off leaves no flag defined.
                _oracle.Cpu->Arch.Flags = (_oracle.Cpu->Arch.Flags & ~EFlags.Arithmetic) | (Cpu->Arch.Flags & EFlags.Arithmetic);
                break;
            case ExceptionVector.GeneralProtection or ExceptionVector.PageFault when instruction.Op0Register.IsMM() || instruction.Op1Register.IsMM():
                // It may have turned the x87 unit to MMX already: the same registers, seen from another top.
                int top = expected->Top;
                expected->Status = (ushort)((expected->Status & ~FxImage.TopMask) | (actual->Status & FxImage.TopMask));
                expected->KeepPlaces(top);
                expected->Tags = actual->Tags;
                break;
            case ExceptionVector.GeneralProtection or ExceptionVector.PageFault when (InstructionCatalog.Of(in instruction).Differs & Differences.RepeatedComparisonFault) != 0:
                // VendorDifferences.RepeatedComparisonFault; and it may have been interrupted and begun anew on the way.
                _oracle.Cpu->Arch.Flags = (_oracle.Cpu->Arch.Flags & ~EFlags.Arithmetic) | (Cpu->Arch.Flags & EFlags.Arithmetic);
                if (IsOtherOperandsFault(in instruction, in stretch.Exit, in exit))
                {
                    stretch.Exit.FaultAddress = exit.FaultAddress;
                    stretch.Exit.ErrorCode = exit.ErrorCode;
                }

                break;
            case ExceptionVector.PageFault when instruction.Mnemonic is Mnemonic.Fstp or Mnemonic.Fbstp && instruction.MemorySize.GetSize() == ExtendedBytes:
                // Stored in two parts, either of which may be the first.
                if (exit.FaultAddress - stretch.Exit.FaultAddress + ExtendedBytes <= 2 * ExtendedBytes)
                {
                    stretch.Exit.FaultAddress = exit.FaultAddress;
                    stretch.Exit.ErrorCode = exit.ErrorCode;
                    _shadow.TakeAll();
                }

                break;
            case ExceptionVector.SimdException:
                // With overflow or underflow unmasked, whether it is inexact too the interpreter cannot tell.
                const uint precision = 0x20;
                expected->Mxcsr = (expected->Mxcsr & ~precision) | (actual->Mxcsr & precision);
                break;
        }
    }

    /// <summary>
    /// VendorDifferences.ComparisonOrder: the interpreter's fault is (%edi)'s and the processor's, which is AMD's, is the source's;
    /// and the page tables say that there is one at either.
    /// </summary>
    private bool IsOtherOperandsFault(in Instruction instruction, in CpuExit expected, in CpuExit actual)
    {
        if (Vendor != ProcessorVendor.Amd || actual.Vector != ExceptionVector.PageFault || instruction is { HasRepePrefix: false, HasRepnePrefix: false }
            || (InstructionCatalog.Of(in instruction).Differs & Differences.ComparisonOrder) == 0)
        {
            return false;
        }

        uint mask = instruction.Op0Kind == OpKind.MemorySegSI ? ushort.MaxValue : uint.MaxValue;
        uint size = (uint)instruction.MemorySize.GetSize();
        return expected.FaultAddress - (Cpu->Arch.Registers[(int)GeneralRegister.Edi] & mask) < size
            && actual.FaultAddress - (Cpu->Arch.Registers[(int)GeneralRegister.Esi] & mask) < size
            && Walker.Walk(_pageDirectory, actual.FaultAddress, write: false, user: Cpu->Arch.Cpl == Selectors.UserRing, out Translation found) == WalkResult.Fault
            && found.ErrorCode == actual.ErrorCode;
    }
}
