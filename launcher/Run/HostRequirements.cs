// SPDX-License-Identifier: GPL-2.0-or-later
using System.ComponentModel;
using System.Runtime.CompilerServices;
using Lguest.Devices.Backends.Share;
using Lguest.Engine.Native;
using Lguest.Launcher.Common;
using Lguest.Launcher.Options;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace Lguest.Launcher.Run;

/// <summary>
/// What the launcher needs of a process, and the sentence for a host that does not give it. What the runtime needs before our first
/// instruction nobody can check from here: docs/limits.md has its words for that.
/// </summary>
internal static unsafe class HostRequirements
{
    /// <summary>
    /// Files that the launcher has open: with a runtime that compiles as it goes, each library is one or two; a native program has
    /// 14, and up to 8 more for its console and what options have it write.
    /// </summary>
    private static readonly ulong s_files = RuntimeFeature.IsDynamicCodeSupported ? 72u : 24u;

    private const ulong FilesOfNetwork = 4;
    private const ulong FilesOfSocket = 12;

    /// <summary>Files that a guest with shares leaves to the launcher: for connections that come while it runs.</summary>
    private const ulong FilesToSpare = 64;

    /// <summary>Files that a guest with shares can have open in them, or they are not worth having.</summary>
    private const ulong LeastInShares = 64;

    private const int TryAgain = 11;
    private const int OutOfMemory = 12;

    /// <summary>Before the command line is read.</summary>
    /// <exception cref="LaunchException">The process may not have what the launcher needs in any case.</exception>
    public static void Check()
    {
        // A write beyond ulimit -f is an error like others: of a disk, it is the guest's.
        sigaction ignored = new() { sa_handler = SIG_IGN };
        _ = sigaction(SIGXFSZ, &ignored, null);
        CheckFiles(s_files);
    }

    /// <summary>For a guest, when it is known what it is to have.</summary>
    /// <exception cref="LaunchException">The process may not have so much.</exception>
    public static void Check(LaunchOptions options)
    {
        ulong sockets = (options.Debug.Control == null ? 0u : 1) + (options.Debug.Gdb == null ? 0u : 1);
        ulong needed = s_files + (ulong)options.Devices.Sum(static device => device.FileCount) + ((ulong)options.Nets.Count * FilesOfNetwork) + (sockets * FilesOfSocket);
        if (options.Devices.Exists(static device => device is ShareOption))
        {
            ProcessLimits.RaiseFiles();
            needed += FilesToSpare + LeastInShares;
        }

        CheckFiles(needed);
        options.ShareBudget.Most = (int)Math.Min(ProcessLimits.Files - needed + LeastInShares, DescriptorBudget.Limit);
    }

    /// <summary>A sentence on a failure that is the host's and nobody's bug; null: it is none.</summary>
    public static string? SentenceFor(Exception failure)
    {
        if (failure is TypeInitializationException { InnerException: { } cause })
            return SentenceFor(cause);
        // Whatever it was that could not be opened then, and in whichever words it was reported.
        if (!CanOpen())
            return $"no file can be opened any more (ulimit -n allows {ProcessLimits.Files}): allow more, or give the guest less";
        return failure switch
        {
            IOException { HResult: TryAgain } => "the host lets the launcher start no more threads (ulimit -u): allow more, or end other programs of this user",
            Win32Exception => $"the host does not give the guest what it needs: {failure.Message}",
            OutOfMemoryException => $"the host has no memory left for the launcher: {ProcessLimits.Words(OutOfMemory)}",
            _ => null,
        };
    }

    private static void CheckFiles(ulong needed)
    {
        ulong allowed = ProcessLimits.Files;
        if (allowed < needed)
            throw new LaunchException($"only {allowed} files may be open at a time (ulimit -n), and lguest needs {needed} for this: ulimit -n {Math.Max(256, needed)}");
    }

    /// <summary>Whether another descriptor could be had. Asked without a file: to a sealed process not even that may be allowed.</summary>
    private static bool CanOpen()
    {
        int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
        if (fd < 0)
            return errno != EMFILE;
        _ = close(fd);
        return true;
    }
}
