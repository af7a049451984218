// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Tests.Sandbox;

/// <summary>A system call that somebody who got out of the engine would like to make.</summary>
/// <param name="Name">What it is for.</param>
/// <param name="Number">On x86-64.</param>
/// <param name="Arguments">Numbers, or texts that become pointers to them.</param>
internal sealed record ForbiddenCall(string Name, int Number, params object[] Arguments)
{
    private const int CurrentDirectory = -100;
    private const int OpenReadWrite = 2;
    private const int Create = 0x40;
    private const int ReadWriteExecute = 7;
    private const int PrivateAnonymous = 0x22;

    /// <summary>May be made without a sandbox, too, and does no harm there: it shows that the test tries the right things.</summary>
    public bool IsHarmless { get; init; }

    /// <summary>Every one.</summary>
    /// <param name="directory">A directory with a file <c>victim</c>, and <c>own/disk</c> beside what the launcher makes and removes.</param>
    /// <param name="other">A process of somebody else: the test's own.</param>
    public static IReadOnlyList<ForbiddenCall> All(string directory, int other) =>
    [
        new("read a file", 257, CurrentDirectory, "/etc/passwd", 0, 0) { IsHarmless = true },
        new("read a file, old call", 2, "/etc/passwd", 0, 0) { IsHarmless = true },
        new("read a file, new call", 437, CurrentDirectory, "/etc/passwd", "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 24) { IsHarmless = true },
        new("list a directory", 257, CurrentDirectory, directory, 0x10000, 0) { IsHarmless = true },
        new("read another process", 257, CurrentDirectory, $"/proc/{other}/maps", 0, 0) { IsHarmless = true },
        new("write a file", 257, CurrentDirectory, directory + "/victim", OpenReadWrite, 0) { IsHarmless = true },
        new("make a file", 257, CurrentDirectory, directory + "/new", OpenReadWrite | Create, 0x180) { IsHarmless = true },
        new("make a file, old call", 85, directory + "/new", 0x180) { IsHarmless = true },
        new("make a nameless file", 257, CurrentDirectory, directory, 0x410002, 0x180) { IsHarmless = true },
        new("truncate a file", 76, directory + "/victim", 0) { IsHarmless = true },
        new("rename a file", 82, directory + "/victim", directory + "/renamed"),
        new("link a file", 86, directory + "/victim", directory + "/link") { IsHarmless = true },
        new("link a name", 88, directory + "/victim", directory + "/symlink") { IsHarmless = true },
        new("remove a file", 87, directory + "/victim"),
        new("remove a file, new call", 263, CurrentDirectory, directory + "/victim", 0),
        new("remove a file beside the launcher's own", 87, directory + "/own/disk"),
        new("remove it, new call", 263, CurrentDirectory, directory + "/own/disk", 0),
        new("make a directory", 83, directory + "/directory", 0x1C0) { IsHarmless = true },
        new("make a pipe", 133, directory + "/pipe", 0x1180, 0) { IsHarmless = true },
        new("change rights", 90, directory + "/victim", 0x1FF) { IsHarmless = true },
        new("change the owner", 92, directory + "/victim", 0, 0),
        new("set an attribute", 188, directory + "/victim", "user.x", "x", 1, 0),
        new("watch files", 253) { IsHarmless = true },
        new("change the directory", 80, "/") { IsHarmless = true },
        new("change the root", 161, "/"),
        new("a TCP socket", 41, 2, 1, 0) { IsHarmless = true },
        new("a UDP socket", 41, 2, 2, 0) { IsHarmless = true },
        new("a Unix socket of streams", 41, 1, 1, 0) { IsHarmless = true },
        new("a Unix socket of datagrams", 41, 1, 2, 0) { IsHarmless = true },
        new("a packet socket", 41, 17, 3, 0),
        new("a netlink socket", 41, 16, 3, 0) { IsHarmless = true },
        new("a pair of sockets", 53, 1, 1, 0, "        ") { IsHarmless = true },
        new("connect", 42, 0, "\u0001\0/run/systemd/notify" + new string('\0', 90), 110),
        new("bind", 49, 0, "\u0001\0x", 3),
        new("listen", 50, 0, 1),
        new("run a program", 59, "/bin/true", 0, 0),
        new("run an opened program", 322, -1, "/bin/true", 0, 0, 0),
        new("fork", 57),
        new("vfork", 58),
        new("clone a process", 56, 17, 0, 0, 0, 0),
        new("clone a process, new call", 435, "\0\0\0\0\0\0\0\0", 88),
        new("clone into a user namespace", 56, 0x10010000 | 0x800 | 0x100, 0, 0, 0, 0),
        new("a new user namespace", 272, 0x10000000),
        new("another's namespace", 308, -1, 0),
        new("trace a process", 101, 16, other, 0, 0),
        new("be traced", 101, 0, 0, 0, 0),
        new("read a process's memory", 310, other, 0, 0, 0, 0, 0) { IsHarmless = true },
        new("write a process's memory", 311, other, 0, 0, 0, 0, 0) { IsHarmless = true },
        new("signal a process", 62, other, 0) { IsHarmless = true },
        new("signal all processes", 62, -1, 0),
        new("signal a thread", 234, other, other, 0) { IsHarmless = true },
        new("signal a thread, old call", 200, other, 0) { IsHarmless = true },
        new("queue a signal", 129, other, 0, "                                                                                                                                "),
        new("a process's descriptor", 434, other, 0) { IsHarmless = true },
        new("another's limits", 302, other, 7, "                ", 0),
        new("own limits", 302, 0, 7, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 0),
        new("own limits, old call", 160, 7, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
        new("mount", 165, "none", directory, "tmpfs", 0, 0),
        new("unmount", 166, directory, 0),
        new("mount, new call", 428, CurrentDirectory, directory, 1),
        new("another root", 155, directory, directory),
        new("swap", 167, directory + "/victim", 0),
        new("BPF", 321, 0, "                                                        ", 56),
        new("performance events", 298, "\0\0\0\0\0\0\0\0", 0, -1, -1, 0),
        new("faults in user mode", 323, 1) { IsHarmless = true },
        new("io_uring", 425, 4, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
        new("keys", 250, 0, -3, 0, 0, 0),
        new("add a key", 248, "user", "x", "y", 1, -3),
        new("open by handle", 304, -1, "                ", 0),
        new("a file's handle", 303, CurrentDirectory, "/etc/passwd", "                ", "                ", 0),
        new("load a kernel", 246, 0, 0, 0, 0),
        new("load a module", 175, "", 0, ""),
        new("restart the machine", 169, 0, 0, 0, 0),
        new("the host's name", 170, "x", 1),
        new("the time", 227, 0, "                "),
        new("ports", 173, 0, 1, 1),
        new("become root", 105, 0) { IsHarmless = true },
        new("become somebody", 117, 1, 1, 1),
        new("take capabilities", 126, "                ", "                        "),
        new("be dumpable again", 157, 4, 1, 0, 0, 0) { IsHarmless = true },
        new("another filter", 317, 1, 0, 0),
        new("another Landlock", 444, "\u0001\0\0\0\0\0\0", 8, 0) { IsHarmless = true },
        new("writable code", 9, 0, 4096, ReadWriteExecute, PrivateAnonymous, -1, 0) { IsHarmless = true },
        new("type into the terminal", 16, 0, 0x5412, "x"),
        new("make an interface", 16, 0, 0x400454CA, "                                        "),
        new("signals from a descriptor", 72, 0, 8, other),
        new("another's memory into ours", 438, -1, 0, 0),
    ];
}
