// SPDX-License-Identifier: GPL-2.0-or-later
using Iced.Intel;

namespace Lguest.Engine.Native;

/// <summary>
/// Who has which of the host's registers while translated code runs. Where the guest's can be, they are: %eax, %ecx, %edx, %ebx,
/// %ebp, %esi, %edi and the arithmetic flags. The others are out of the guest's reach, since its instructions cannot name them.
/// </summary>
internal static class HostRegister
{
    /// <summary>The guest's %esp: the host's stack pointer is never the guest's to set, and signals have a stack.</summary>
    public const Register Stack = Register.R8D;

    /// <summary>The <see cref="Cpu.CpuState"/>.</summary>
    public const Register State = Register.R13;

    /// <summary>The branch table.</summary>
    public const Register Table = Register.R12;

    /// <summary>What entries of the branch table must carry to be valid now, in the high half.</summary>
    public const Register Key = Register.R14;

    /// <summary>Host address of linear address 0 of the current window; the base of %gs, too.</summary>
    public const Register Window = Register.R15;

    /// <summary>A register of the guest's as the host's.</summary>
    public static Register Of(Register guest) => guest switch
    {
        Register.ESP => Register.R8D,
        Register.SP => Register.R8W,
        _ => guest,
    };
}
