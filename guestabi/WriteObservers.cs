// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi;

/// <summary>Told before the host (a device, the launcher) writes guest memory, so that an engine can drop what it derived from it.</summary>
public interface IHostWriteObserver
{
    /// <summary>The host is about to write this range.</summary>
    void HostWrites(uint address, uint length);
}

/// <summary>
/// Several observers as one. Where there is one only, it is asked itself, and this does not exist: most guests have an engine that
/// listens, and nobody else.
/// </summary>
internal sealed class WriteObservers : IHostWriteObserver
{
    private readonly IHostWriteObserver[] _all;

    private WriteObservers(IHostWriteObserver[] all) => _all = all;

    /// <summary>One more, who is told last.</summary>
    public static IHostWriteObserver With(IHostWriteObserver? before, IHostWriteObserver one) =>
        before is null ? one : new WriteObservers([.. Of(before), one]);

    /// <summary>Without one of them; nothing is left of who was alone.</summary>
    public static IHostWriteObserver? Without(IHostWriteObserver? before, IHostWriteObserver one)
    {
        IHostWriteObserver[] left = before is null ? [] : Array.FindAll(Of(before), other => other != one);
        return left.Length switch
        {
            0 => null,
            1 => left[0],
            _ => new WriteObservers(left),
        };
    }

    /// <inheritdoc/>
    public void HostWrites(uint address, uint length)
    {
        foreach (IHostWriteObserver one in _all)
            one.HostWrites(address, length);
    }

    private static IHostWriteObserver[] Of(IHostWriteObserver observer) => observer is WriteObservers several ? several._all : [observer];
}
