// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi;

/// <summary>A hypercall as it was made, wherever its number and arguments came from. Arguments that the call does not have may be stale.</summary>
public record struct GuestCall
{
    /// <summary>The call's number; after the call, what %eax gets.</summary>
    public uint Number;

    /// <summary>First argument.</summary>
    public uint First;

    /// <summary>Second argument.</summary>
    public uint Second;

    /// <summary>Third argument.</summary>
    public uint Third;

    /// <summary>Fourth argument; 0 where a generation has three.</summary>
    public uint Fourth;

    /// <summary>One of the arguments.</summary>
    /// <param name="index">0 to 3.</param>
    public readonly uint Argument(int index) => index switch { 0 => First, 1 => Second, 2 => Third, _ => Fourth };
}
