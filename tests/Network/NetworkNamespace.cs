// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using System.Runtime.InteropServices;
using Mono.Unix.Native;

namespace Lguest.Tests.Network;

/// <summary>
/// A network of the test's own, in which it may make taps, bridges and addresses without touching the machine's. It goes with
/// the test, and everything in it.
/// </summary>
public sealed partial class NetworkNamespace : IDisposable
{
    private const int NewNetwork = 0x4000_0000;
    private static int s_count;

    /// <summary>Makes one, with a loopback interface that is up.</summary>
    public NetworkNamespace()
    {
        Name = $"lgtest{Environment.ProcessId}-{Interlocked.Increment(ref s_count)}";
        Tool("ip", "netns", "add", Name);
        Ip("link", "set", "lo", "up");
    }

    /// <summary>Its name, for <c>ip netns exec</c>.</summary>
    public string Name { get; }

    /// <summary>Runs ip(8) inside.</summary>
    /// <returns>What it printed.</returns>
    public string Ip(params string[] arguments) => Tool("ip", ["-n", Name, .. arguments]);

    /// <summary>How to run a program inside: put in front of it.</summary>
    public string[] Enter => ["ip", "netns", "exec", Name];

    /// <summary>Runs a piece of the test inside, on a thread of its own: a socket belongs to the network of the thread that makes it.</summary>
    public T Run<T>(Func<T> inside)
    {
        T? result = default;
        Exception? failure = null;
        Thread thread = new(() =>
        {
            try
            {
                int fd = Syscall.open($"/var/run/netns/{Name}", OpenFlags.O_RDONLY | OpenFlags.O_CLOEXEC);
                if (fd < 0 || setns(fd, NewNetwork) != 0)
                    throw new InvalidOperationException($"setns {Name}: {Marshal.GetLastPInvokeErrorMessage()}");
                _ = Syscall.close(fd);
                result = inside();
            }
            catch (Exception e)
            {
                failure = e;
            }
        });
        thread.Start();
        thread.Join();
        return failure is null ? result! : throw new InvalidOperationException($"in {Name}: {failure.Message}", failure);
    }

    /// <inheritdoc/>
    public void Dispose() => Tool("ip", "netns", "del", Name);

    /// <summary>Runs a program to its end; a status other than 0 fails the test.</summary>
    internal static string Tool(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? output : throw new InvalidOperationException($"{program} {string.Join(' ', arguments)}: {error.Result}{output}");
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int setns(int fd, int kind);
}
