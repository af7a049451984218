// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi;

// [P:190] The wall between launcher and hypervisor
// In 2007 the hypervisor was a module in the host's kernel and the launcher a program that opened /dev/lguest. Writing to that
// file prepared the guest, and reading from it ran the guest until there was something for the launcher to do. There is no kernel
// module here: both sides live in one process, and what were reads and writes are methods ([H:100] still speaks the old way). The
// wall has stayed, since nothing else separates so well what a guest may do from what its devices are.
/// <summary>
/// A guest as its launcher sees it. It belongs to the thread that made it, its owner, which alone runs it; what other threads may do
/// is said at each method.
/// </summary>
public interface IGuest : IDmaGuest, IDisposable
{
    /// <summary>Runs the guest until there is something to do. For its owner.</summary>
    /// <exception cref="InvalidOperationException">Another thread asks.</exception>
    RunExit Run();

    /// <summary>Makes <see cref="Run"/> return, and waits until the owner has done what it is wanted for. Any other thread.</summary>
    /// <returns>False when the guest is over, and nobody will do anything.</returns>
    bool Break();

    /// <summary>Lets the guest run again, and whoever waits in <see cref="Break"/> go on. Any thread.</summary>
    void ReleaseBreak();
}
