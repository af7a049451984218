// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Bench;

/// <summary>What kind of promise a workload falls under.</summary>
public enum WorkloadKind
{
    /// <summary>The same code everywhere; compared with native.</summary>
    Compute,

    /// <summary>What a guest's kernel does; compared with TCG.</summary>
    Kernel,

    /// <summary>What a guest asks of its host; not the same thing elsewhere.</summary>
    Host,
}

/// <summary>One workload as the report tells of it.</summary>
/// <param name="Name">As guest/bench knows it.</param>
/// <param name="Kind">Its promise.</param>
/// <param name="Title">As the reader knows it.</param>
/// <param name="Operation">What the time is for.</param>
public sealed record Workload(string Name, WorkloadKind Kind, string Title, string Operation)
{
    /// <summary>All, in the order of guest/bench/harness.c.</summary>
    public static readonly IReadOnlyList<Workload> All =
    [
        new("integer", WorkloadKind.Compute, "integer loop", "50,000 turns"),
        new("sieve", WorkloadKind.Compute, "sieve", "primes below 32,768"),
        new("crc32", WorkloadKind.Compute, "crc32", "64 KiB"),
        new("md5", WorkloadKind.Compute, "md5", "64 KiB"),
        new("memcpy", WorkloadKind.Compute, "memcpy", "1 MiB"),
        new("quicksort", WorkloadKind.Compute, "quicksort", "4,096 numbers"),
        new("recursion", WorkloadKind.Compute, "recursion", "fib(20)"),
        new("indirect", WorkloadKind.Compute, "indirect calls", "16,384 calls"),
        new("x87", WorkloadKind.Compute, "x87 dot product", "32,768 terms"),
        new("sse2", WorkloadKind.Compute, "SSE2", "16,384 steps"),
        new("syscall", WorkloadKind.Kernel, "system call", "one"),
        new("switch", WorkloadKind.Kernel, "context switch", "one"),
        new("touch", WorkloadKind.Kernel, "page fault", "one page"),
        new("fork", WorkloadKind.Kernel, "fork-like copy", "64 pages, 32 faults"),
        new("hypercall", WorkloadKind.Host, "hypercall", "one"),
        new("console", WorkloadKind.Host, "console write", "63 bytes"),
    ];
}
