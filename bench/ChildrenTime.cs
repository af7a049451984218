// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;

namespace Lguest.Bench;

/// <summary>The processor time of all processes that we have started and that have ended: what one took is the difference.</summary>
public static partial class ChildrenTime
{
    private const int Children = -1;

    /// <summary>Up to now, in user mode and in the host's kernel.</summary>
    public static unsafe TimeSpan Now
    {
        get
        {
            // struct rusage: two struct timeval, then 14 words that we do not look at.
            long* usage = stackalloc long[18];
            if (GetResourceUsage(Children, usage) != 0)
                throw new BenchException("getrusage does not tell of our children");
            return TimeSpan.FromSeconds(usage[0] + usage[2]) + TimeSpan.FromMicroseconds(usage[1] + usage[3]);
        }
    }

    [LibraryImport("libc", EntryPoint = "getrusage")]
    private static unsafe partial int GetResourceUsage(int who, long* usage);
}
