// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using System.Runtime.Intrinsics.X86;
using Lguest.GuestAbi;

namespace Lguest.Engine.Time;

// [I:240+18] What time is it?
// A guest asks in two ways: it reads the counter (RDTSC), or it looks at what its hypervisor has written down for it ([H:250]), at
// LGUEST_INIT and before each interrupt (`GuestData.SetTime`). Both come from the same object, so they cannot drift apart. The
// counter counts nanoseconds of the host's monotonic clock, which is what lguest_data.tsc_khz says of it; the offset lets it go on
// where it was, in a guest that did not begin here.
/// <summary>The host's clocks as a guest's time.</summary>
public sealed class HostTime : IGuestTime
{
    private static readonly Lazy<bool> s_constantTsc = new(HasConstantTsc);

    /// <summary>What is added to the host's counter; 0 for a guest that began here.</summary>
    public ulong TscOffset { get; init; }

    /// <inheritdoc/>
    public long Monotonic => Stopwatch.GetTimestamp() * (1_000_000_000 / Stopwatch.Frequency);

    /// <inheritdoc/>
    public long Wall => (DateTime.UtcNow - DateTime.UnixEpoch).Ticks * 100;

    /// <inheritdoc/>
    public ulong Tsc => (ulong)Monotonic + TscOffset;

    /// <inheritdoc/>
    /// <remarks>The counter is one of nanoseconds, so this is exact: 1 GHz.</remarks>
    public uint TscKhz => s_constantTsc.Value ? 1_000_000u : 0;

    /// <inheritdoc/>
    public long HostWait(long nanoseconds) => nanoseconds;

    private static bool HasConstantTsc()
    {
        // "Invariant TSC", which the processor says itself. What older ones have the kernel knows, in a file that takes long to read.
        const int powerLeaf = unchecked((int)0x8000_0007);
        const int invariant = 1 << 8;
        if (X86Base.IsSupported && (uint)X86Base.CpuId(int.MinValue, 0).Eax >= unchecked((uint)powerLeaf)
            && (X86Base.CpuId(powerLeaf, 0).Edx & invariant) != 0)
        {
            return true;
        }

        try
        {
            foreach (string line in File.ReadLines("/proc/cpuinfo"))
            {
                if (line.StartsWith("flags", StringComparison.Ordinal))
                    return line.Split(' ').Contains("constant_tsc");
            }
        }
        catch (IOException)
        {
        }
        catch (UnauthorizedAccessException)
        {
        }

        return false;
    }
}
