// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Native;
using static Lguest.Launcher.Sandbox.ArgumentTest;

namespace Lguest.Launcher.Sandbox;

/// <summary>
/// Every system call that a sealed launcher may make, with its reason. What is not here is refused. The filter is made from
/// this table, and docs/sandbox.md shows it.
/// </summary>
internal static class SystemCallTable
{
    private const uint Write = 2;
    private const uint Execute = 4;

    /// <summary>O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_PATH and the bit that makes O_TMPFILE of O_DIRECTORY.</summary>
    private const uint OpenForMore = 0x3 | 0x40 | 0x200 | 0x200000 | 0x400000;

    /// <summary>CLONE_VM, CLONE_SIGHAND and CLONE_THREAD: a thread of this process.</summary>
    private const uint ThreadFlags = 0x100 | 0x800 | 0x10000;

    /// <summary>What a thread may have besides: CLONE_FS, CLONE_FILES, CLONE_SYSVSEM, CLONE_SETTLS, CLONE_PARENT_SETTID, CLONE_CHILD_CLEARTID, CLONE_DETACHED.</summary>
    private const uint MoreThreadFlags = 0x200 | 0x400 | 0x40000 | 0x80000 | 0x100000 | 0x200000 | 0x400000;

    private const string HeldMemory = "from memory that nobody can change";
    private const string HeldName = "names that options give, " + HeldMemory;
    private const string WhenTalking = "with --control, --gdb, --console=unix: or pty, --usernet or --sharenet";

    /// <summary>Those whose arguments are looked at first, the most frequent of them in front; the kernel remembers the others without asking the filter.</summary>
    public static IReadOnlyList<AllowedCall> All { get; } =
    [
        new(9, "mmap", "guest memory and the translator's windows") { Limit = "never writable and executable at once", Tests = NotBoth },
        new(10, "mprotect", "watched pages, the runtime's memory") { Limit = "never writable and executable at once", Tests = NotBoth },
        new(234, "tgkill", "one thread interrupts another") { Limit = "this process only", Tests = static needs => [[Is(0, (uint)needs.ProcessId)]] },
        new(72, "fcntl", "locks of disks and network slots, descriptors' own flags")
        {
            Limit = "F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_OFD_GETLK, F_OFD_SETLK",
            Tests = static _ => AnyOf(1, 1030, 1, 2, 3, 4, 36, 37),
        },
        new(16, "ioctl", "the terminal's settings, what passt has not read yet, whether a bridge is still there, what a guest leaves a tap to do")
        {
            Limit = "TCGETS, TCSETS, TCSETSW, TCSETSF and their successors of 2024, TIOCGWINSZ, FIONREAD, TIOCOUTQ, SIOCGIFINDEX, TUNSETOFFLOAD; not TIOCSTI",
            Tests = static _ => AnyOf(1, 0x5401, 0x5402, 0x5403, 0x5404, 0x802C542A, 0x402C542B, 0x402C542C, 0x402C542D, 0x5413, 0x541B, 0x5411, 0x8933, 0x400454D0),
        },
        new(56, "clone", "threads")
        {
            Limit = "threads of this process only",
            Tests = static _ => [[With(0, ThreadFlags), Without(0, ~(ThreadFlags | MoreThreadFlags))]],
        },
        new(157, "prctl", "names of threads") { Limit = "PR_SET_NAME", Tests = static _ => [[Is(0, 15)]] },
        new(62, "kill", "ctl's poweroff; ending passt") { Limit = "this process, and a passt that it started", Tests = static needs => Processes(needs) },
        new(257, "openat", "what the runtime loads late, /proc/self/statm and the like") { Limit = "to read only; Landlock says which", Tests = static _ => [[Without(2, OpenForMore)]] },
        new(2, "open", "the same, of other C libraries") { Limit = "to read only; Landlock says which", Tests = static _ => [[Without(1, OpenForMore)]] },
        new(302, "prlimit64", "reading limits") { Limit = "not setting any", Tests = static _ => [IsPointer(2, 0)] },
        new(41, "socket", "connecting to a guest that joins a shared network") { Limit = "with --sharenet: Unix sockets of packets", Tests = static needs => needs.Connects ? [[Is(0, 1), new(2, 0xF, 5), Is(2, 0)]] : [] },
        new(42, "connect", "the same") { Limit = "with --sharenet: the sockets of that network's slots, " + HeldMemory, Tests = static needs => needs.Connects ? [[.. PointsInto(1, needs.HeldNames), Is(2, HeldNames.SocketAddressSize)]] : [] },
        new(87, "unlink", "removing results that were not needed") { Limit = HeldName, Tests = static needs => OfHeldNames(0, needs) },
        new(263, "unlinkat", "removing the launcher's own sockets, and a shared network's directory with its last guest; files of a share")
        {
            Limit = HeldName + "; or as `mkdirat`",
            Tests = static needs => [.. OfHeldNames(1, needs), .. SystemCallsOfShares.Changing(needs)],
        },
        new(43, "accept", "lguest ctl, gdb, guests that join") { Limit = WhenTalking, Tests = Talking },
        new(288, "accept4", "lguest ctl, gdb, guests that join") { Limit = WhenTalking, Tests = Talking },
        new(44, "sendto", "answers") { Limit = WhenTalking, Tests = Talking },
        new(45, "recvfrom", "questions") { Limit = WhenTalking, Tests = Talking },
        new(46, "sendmsg", "packets and answers") { Limit = WhenTalking, Tests = Talking },
        new(47, "recvmsg", "packets and questions") { Limit = WhenTalking, Tests = Talking },
        new(48, "shutdown", "the end of a connection") { Limit = WhenTalking, Tests = Talking },
        new(51, "getsockname", "the runtime's sockets") { Limit = WhenTalking, Tests = Talking },
        new(52, "getpeername", "the runtime's sockets") { Limit = WhenTalking, Tests = Talking },
        new(54, "setsockopt", "no delay for gdb on TCP, and how a connection ends") { Limit = WhenTalking, Tests = Talking },
        new(55, "getsockopt", "who is at the other end") { Limit = WhenTalking, Tests = Talking },
        .. SystemCallsOfShares.All,
        .. SystemCallsOfTheRuntime.All,
    ];

    private static ArgumentTest[][] NotBoth(SealNeeds needs) =>
        needs.WritesWhereItExecutes ? [[]] : [[Without(2, Execute)], [Without(2, Write)]];

    private static ArgumentTest[][] OfHeldNames(int argument, SealNeeds needs) =>
        needs.HeldNames.Start == needs.HeldNames.End ? [] : [PointsInto(argument, needs.HeldNames)];

    private static ArgumentTest[][] Talking(SealNeeds needs) => needs.Talks ? [[]] : [];

    private static ArgumentTest[][] Processes(SealNeeds needs)
    {
        uint[] processes = new uint[1 + needs.Children.Count];
        processes[0] = (uint)needs.ProcessId;
        for (int i = 0; i < needs.Children.Count; i++)
            processes[1 + i] = (uint)needs.Children[i];
        return AnyOf(0, processes);
    }

    private static ArgumentTest[][] AnyOf(int argument, params uint[] values)
    {
        ArgumentTest[][] alternatives = new ArgumentTest[values.Length][];
        for (int i = 0; i < values.Length; i++)
            alternatives[i] = [Is(argument, values[i])];
        return alternatives;
    }
}
