// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using System.Text;
using Lguest.GuestAbi.Generations;

namespace Lguest.Engine.Interpreter;

/// <summary>
/// What CPUID tells: the processor of the guest's generation (<see cref="ProcessorIdentity"/>), with nothing but what is executed here.
/// SYSENTER in particular is missing (abi.md §4.9), and so are the paging features that no lguest guest may use.
/// </summary>
internal static class CpuIdentity
{
    private const uint HighestLeaf = 1;
    private const uint HighestExtendedLeaf = 0x8000_0004;

    private static readonly byte[] s_vendor = Encoding.ASCII.GetBytes("GenuineIntel");
    private static readonly byte[] s_brand = Encoding.ASCII.GetBytes("Lguest virtual 686 processor".PadRight(48, '\0'));

    /// <summary>Answers CPUID: leaf in and result out in %eax; sub-leaves do not matter.</summary>
    public static void Query(ProcessorIdentity identity, ref uint eax, out uint ebx, out uint ecx, out uint edx)
    {
        uint leaf = eax;
        eax = ebx = ecx = edx = 0;
        switch (leaf)
        {
            case 0:
                eax = HighestLeaf;
                ebx = BinaryPrimitives.ReadUInt32LittleEndian(s_vendor);
                edx = BinaryPrimitives.ReadUInt32LittleEndian(s_vendor.AsSpan(4));
                ecx = BinaryPrimitives.ReadUInt32LittleEndian(s_vendor.AsSpan(8));
                break;
            case 1:
                eax = identity.Signature;
                ebx = 8 << 8; // CLFLUSH line: 8 quadwords
                ecx = identity.FeaturesEcx;
                edx = identity.FeaturesEdx;
                break;
            case 0x8000_0000:
                eax = HighestExtendedLeaf;
                break;
            case >= 0x8000_0002 and <= HighestExtendedLeaf:
                ReadOnlySpan<byte> part = s_brand.AsSpan((int)(leaf - 0x8000_0002) * 16, 16);
                eax = BinaryPrimitives.ReadUInt32LittleEndian(part);
                ebx = BinaryPrimitives.ReadUInt32LittleEndian(part[4..]);
                ecx = BinaryPrimitives.ReadUInt32LittleEndian(part[8..]);
                edx = BinaryPrimitives.ReadUInt32LittleEndian(part[12..]);
                break;
        }
    }
}
