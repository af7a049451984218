// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.Intrinsics.X86;
using System.Text;

namespace Lguest.Engine.Cpu;

/// <summary>
/// The processor that this process runs on. Guests never see it (see <c>CpuIdentity</c>); it matters where instructions of the
/// guest run natively and the makers' processors do not do the same.
/// </summary>
public static class HostProcessor
{
    private static readonly (ProcessorVendor Vendor, string Id, int Family, int Model) s_identity = Identify();

    /// <summary>Who made it.</summary>
    public static ProcessorVendor Vendor => s_identity.Vendor;

    /// <summary>One line for reports: maker, family and model, in decimal.</summary>
    public static string Description => string.Create(
        CultureInfo.InvariantCulture, $"{s_identity.Id} family {s_identity.Family} model {s_identity.Model}");

    /// <summary>The maker that a CPUID string names.</summary>
    internal static ProcessorVendor VendorOf(string id) => id switch
    {
        "GenuineIntel" => ProcessorVendor.Intel,
        "AuthenticAMD" or "HygonGenuine" => ProcessorVendor.Amd,
        _ => ProcessorVendor.Other,
    };

    /// <summary>Family and model from CPUID's leaf 1 (Intel SDM vol. 2A, CPUID, figure 3-6; AMD APM vol. 3, appendix E.3.2).</summary>
    internal static (int Family, int Model) Decode(uint signature)
    {
        const int longFamily = 15, p6Family = 6;
        int family = (int)(signature >> 8 & 0xF);
        int model = (int)(signature >> 4 & 0xF);
        if (family is longFamily or p6Family)
            model |= (int)(signature >> 16 & 0xF) << 4;
        if (family == longFamily)
            family += (int)(signature >> 20 & 0xFF);
        return (family, model);
    }

    private static (ProcessorVendor Vendor, string Id, int Family, int Model) Identify()
    {
        if (!X86Base.IsSupported)
            return (ProcessorVendor.Other, "no x86 processor", 0, 0);
        (_, int ebx, int ecx, int edx) = X86Base.CpuId(0, 0);
        Span<byte> id = stackalloc byte[12];
        BinaryPrimitives.WriteInt32LittleEndian(id, ebx);
        BinaryPrimitives.WriteInt32LittleEndian(id[4..], edx);
        BinaryPrimitives.WriteInt32LittleEndian(id[8..], ecx);
        string text = Encoding.ASCII.GetString(id);
        (int family, int model) = Decode((uint)X86Base.CpuId(1, 0).Eax);
        return (VendorOf(text), text, family, model);
    }
}
