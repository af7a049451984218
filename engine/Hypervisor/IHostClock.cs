// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using System.Runtime.Intrinsics.X86;

namespace Lguest.Engine.Hypervisor;

/// <summary>The host's time, as the hypervisor sees it. An interface so that a test can hold time still.</summary>
public interface IHostClock
{
    /// <summary>Nanoseconds that only go forward.</summary>
    long Monotonic { get; }

    /// <summary>Wall clock: nanoseconds since 1970.</summary>
    long Wall { get; }

    /// <summary>
    /// What lguest_data.tsc_khz says: kHz of the counter that RDTSC reads, or 0 when the host's time stamp counter is not
    /// constant and the guest had better not use one.
    /// </summary>
    uint TscKhz { get; }
}

/// <summary>The real time.</summary>
public sealed class HostClock : IHostClock
{
    private readonly Lazy<bool> _constantTsc = new(HasConstantTsc);

    /// <summary>The one clock of this host.</summary>
    public static HostClock Instance { get; } = new();

    /// <inheritdoc/>
    public long Monotonic => Stopwatch.GetTimestamp() * (1_000_000_000 / Stopwatch.Frequency);

    /// <inheritdoc/>
    public long Wall => (DateTime.UtcNow - DateTime.UnixEpoch).Ticks * 100;

    /// <inheritdoc/>
    /// <remarks>RDTSC reads nanoseconds of the monotonic clock, so this is exact: 1 GHz.</remarks>
    public uint TscKhz => _constantTsc.Value ? 1_000_000u : 0;

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
