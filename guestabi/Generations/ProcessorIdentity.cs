// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi.Generations;

/// <summary>What leaf 1 of CPUID answers (abi.md §4.9). Nothing may be promised that is not executed.</summary>
/// <param name="Signature">%eax: family, model, stepping.</param>
/// <param name="FeaturesEcx">%ecx.</param>
/// <param name="FeaturesEdx">%edx.</param>
public readonly record struct ProcessorIdentity(uint Signature, uint FeaturesEcx, uint FeaturesEdx)
{
    /// <summary>
    /// Family 6, model 13, stepping 8: the last of the line that had neither SSE3 nor 64 bits, with FPU, TSC, CX8, PGE, CMOV, CLFLUSH,
    /// MMX, FXSR, SSE and SSE2.
    /// </summary>
    public static ProcessorIdentity Family6 { get; } = new(
        0x6D8, 0, 1 << 0 | 1 << 4 | 1 << 8 | 1 << 13 | 1 << 15 | 1 << 19 | 1 << 23 | 1 << 24 | 1 << 25 | 1 << 26);

    /// <summary>
    /// The same with PAE as family 5, model 10, under a hypervisor: kernels look for no microcode there, and for no registers of a model.
    /// (Model 9 is Quark, which has no PGE for Linux.)
    /// </summary>
    public static ProcessorIdentity Family5 { get; } = new(0x5A8, 1u << 31, Family6.FeaturesEdx | 1 << 6);
}
