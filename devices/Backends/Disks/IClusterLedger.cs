// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Devices.Backends.Disks;

/// <summary>Gives clusters of the file above away, and remembers which cluster of the disk has which.</summary>
internal interface IClusterLedger : IDisposable
{
    /// <summary>Takes clusters that nobody has.</summary>
    /// <param name="count">How many, one after the other.</param>
    /// <param name="place">The first.</param>
    /// <returns>0, or the error.</returns>
    HostErrno Reserve(int count, out uint place);

    /// <summary>A cluster of the disk is at this place from now on. Its content is written already.</summary>
    /// <returns>0, or the error: then it is where it was.</returns>
    HostErrno Record(uint cluster, uint place);

    /// <summary>Brings all content and what was recorded to the medium, in this order.</summary>
    /// <returns>0, or the error.</returns>
    HostErrno Commit();
}

/// <summary>For a disk whose writes vanish: nothing is remembered but in memory.</summary>
/// <param name="map">The memory.</param>
internal sealed class ForgetfulLedger(ClusterMap map) : IClusterLedger
{
    private uint _next = ClusterMap.Below + 1;

    /// <inheritdoc/>
    public HostErrno Reserve(int count, out uint place)
    {
        place = _next;
        _next += (uint)count;
        return 0;
    }

    /// <inheritdoc/>
    public HostErrno Record(uint cluster, uint place)
    {
        map[cluster] = place;
        return 0;
    }

    /// <inheritdoc/>
    public HostErrno Commit() => 0;

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}
