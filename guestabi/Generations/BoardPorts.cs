// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi.Generations;

/// <summary>
/// Ports of a PC that kernels wait at (abi.md §4.8). No device answers there; but where all ones read as "not yet", another answer ends
/// the wait.
/// </summary>
public static class BoardPorts
{
    /// <summary>Data of the timer's third counter: with ones a kernel that measures its clock by it reads it 200,000 times.</summary>
    private const ushort TimerCounter = 0x42;

    /// <summary>Status of the keyboard controller: with ones it is busy for a second or more, with 1 there is none.</summary>
    private const ushort KeyboardStatus = 0x64;

    /// <summary>What a port reads as, if that is not ones.</summary>
    public static bool TryRead(ushort port, out uint value)
    {
        value = port == KeyboardStatus ? 1u : 0;
        return port is TimerCounter or KeyboardStatus;
    }
}
