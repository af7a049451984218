// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi.Processor;

/// <summary>The general registers, in the processor's own numbering.</summary>
public enum GeneralRegister
{
    /// <summary>%eax.</summary>
    Eax,

    /// <summary>%ecx.</summary>
    Ecx,

    /// <summary>%edx.</summary>
    Edx,

    /// <summary>%ebx.</summary>
    Ebx,

    /// <summary>%esp.</summary>
    Esp,

    /// <summary>%ebp.</summary>
    Ebp,

    /// <summary>%esi.</summary>
    Esi,

    /// <summary>%edi.</summary>
    Edi,
}
