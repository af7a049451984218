// SPDX-License-Identifier: GPL-2.0-or-later
using System.ComponentModel;
using System.Runtime.InteropServices;
using Lguest.Devices.Native;
using Lguest.Launcher.Common;
using static Tmds.Linux.LibC;

namespace Lguest.Launcher.Run;

/// <summary>
/// Sees to it that descriptors 0, 1 and 2 are what whoever started us gave us. A program that is started with one of them closed
/// gets its number for the first file that it opens: the runtime's own pipes, which then would be the guest's console. Here
/// <c>/dev/null</c> takes the place of what is closed, as daemons want it.
/// </summary>
internal static unsafe partial class StandardDescriptors
{
    private const int Count = 3;
    private const string Null = "/dev/null";

    private enum State
    {
        /// <summary>Given to us.</summary>
        Given,

        /// <summary>Closed, and nobody has it.</summary>
        Closed,

        /// <summary>Closed when we were started; the runtime has it now.</summary>
        Taken,
    }

    /// <summary>
    /// Fills the gaps. What the runtime has taken it cannot give back: then the program starts itself again, with nothing closed.
    /// To be called before anything else, in particular before other threads are started.
    /// </summary>
    /// <exception cref="LaunchException">That is not possible here.</exception>
    public static void Fill()
    {
        bool taken = false;
        for (int fd = 0; fd < Count; fd++)
        {
            switch (Of(fd))
            {
                case State.Closed when OpenNull() != fd:
                    throw new LaunchException($"descriptor {fd} is closed, and {Null} cannot take its place: start lguest with descriptors 0, 1 and 2 open");
                case State.Taken:
                    taken = true;
                    break;
            }
        }

        if (taken)
            StartAgain();
    }

    /// <summary>A descriptor that was handed down to a program is never closed by exec: it would not have been handed down.</summary>
    private static State Of(int fd)
    {
        int flags = fcntl(fd, F_GETFD);
        return flags < 0 ? State.Closed : (flags & FD_CLOEXEC) != 0 ? State.Taken : State.Given;
    }

    private static void StartAgain()
    {
        try
        {
            byte[] words = File.ReadAllBytes("/proc/self/cmdline");
            int replacement = OpenNull();
            if (replacement < 0)
                throw new IOException($"{Null} cannot be opened");
            for (int fd = 0; fd < Count; fd++)
            {
                if (Of(fd) == State.Taken && dup2(replacement, fd) != fd)
                    throw new IOException("dup2 failed");
            }

            if (replacement >= Count)
                _ = close(replacement);
            Execute(words);
            throw new Win32Exception();
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException or Win32Exception)
        {
            throw new LaunchException($"descriptors 0, 1 or 2 are closed, and {Null} cannot take their place ({refused.Message}): start lguest with all three open");
        }
    }

    /// <summary>Becomes this program anew, with the same words. Comes back only if that fails.</summary>
    private static void Execute(ReadOnlySpan<byte> words)
    {
        // Word by word with a zero after each, which is how execv wants them.
        fixed (byte* first = words)
        {
            List<nint> pointers = [];
            for (int at = 0; at < words.Length;)
            {
                pointers.Add((nint)(first + at));
                int length = words[at..].IndexOf((byte)0);
                at = length < 0 ? words.Length : at + length + 1;
            }

            pointers.Add(0);
            fixed (nint* all = CollectionsMarshal.AsSpan(pointers))
                _ = execv("/proc/self/exe", all);
        }
    }

    private static int OpenNull()
    {
        fixed (byte* name = PathBytes.Of(Null))
            return open(name, O_RDWR, 0);
    }

    // Tmds.LibC has only those of the family that are given the environment.
    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int execv(string path, nint* words);
}
