// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using System.Runtime.InteropServices;
using static Tmds.Linux.LibC;

namespace Lguest.Bench;

/// <summary>
/// A process that is started by posix_spawn and read from as it comes, for what takes a few milliseconds: the framework's Process
/// takes about as long itself. Its input is a pipe in which nothing comes, its errors go nowhere.
/// </summary>
public sealed unsafe partial class QuickChild : IDisposable
{
    private const int ActionsBytes = 256;
    private static readonly byte** s_environment = *(byte***)NativeLibrary.GetExport(NativeLibrary.Load("libc.so.6"), "environ");

    private readonly long _start;
    private readonly int _output;
    private readonly int _input;
    private readonly byte[] _seen = new byte[1 << 16];
    private int _length;
    private bool _ended;

    /// <summary>Starts it.</summary>
    /// <exception cref="BenchException">It cannot be started.</exception>
    public QuickChild(params string[] command)
    {
        byte* actions = stackalloc byte[ActionsBytes];
        byte** words = stackalloc byte*[command.Length + 1];
        int* output = stackalloc int[2];
        int* input = stackalloc int[2];
        words[command.Length] = null;
        for (int i = 0; i < command.Length; i++)
            words[i] = (byte*)Marshal.StringToCoTaskMemUTF8(command[i]);
        nint nowhere = Marshal.StringToCoTaskMemUTF8("/dev/null");
        if (pipe2(output, O_CLOEXEC) != 0 || pipe2(input, O_CLOEXEC) != 0)
            throw new BenchException("no more pipes: is `ulimit -n` too low?");
        _ = posix_spawn_file_actions_init(actions);
        _ = posix_spawn_file_actions_adddup2(actions, input[0], 0);
        _ = posix_spawn_file_actions_adddup2(actions, output[1], 1);
        _ = posix_spawn_file_actions_addopen(actions, 2, (byte*)nowhere, O_WRONLY, 0);
        int id;
        _start = Stopwatch.GetTimestamp();
        int error = posix_spawn(&id, words[0], actions, null, words, s_environment);
        _ = close(output[1]);
        _ = close(input[0]);
        _ = posix_spawn_file_actions_destroy(actions);
        for (int i = 0; i < command.Length; i++)
            Marshal.FreeCoTaskMem((nint)words[i]);
        Marshal.FreeCoTaskMem(nowhere);
        (_output, _input, Id) = (output[0], input[1], id);
        if (error == 0)
            return;
        _ended = true;
        Dispose();
        throw new BenchException($"{command[0]} cannot be started: {Marshal.GetPInvokeErrorMessage(error)}");
    }

    /// <summary>Its process id.</summary>
    public int Id { get; }

    /// <summary>The time that its threads have had on processors.</summary>
    public TimeSpan ProcessorTime => TimeSpan.FromMicroseconds(
        Directory.GetDirectories($"/proc/{Id}/task").Sum(task => long.Parse(File.ReadAllText(Path.Combine(task, "schedstat")).Split(' ')[0])) / 1000.0);

    /// <summary>Reads on until its output holds this text; how long that took from its start.</summary>
    /// <exception cref="BenchException">It ended before.</exception>
    public TimeSpan WaitFor(ReadOnlySpan<byte> mark)
    {
        while (_seen.AsSpan(0, _length).IndexOf(mark) < 0)
        {
            if (!ReadSome())
                throw new BenchException($"a process ended before it said what was waited for; it said: {System.Text.Encoding.Latin1.GetString(_seen, 0, _length)}");
        }

        return Stopwatch.GetElapsedTime(_start);
    }

    /// <summary>Reads on until it ends; how long it lived.</summary>
    /// <exception cref="BenchException">It ended with another status than 0.</exception>
    public TimeSpan WaitForEnd()
    {
        while (ReadSome())
        {
        }

        int status = Reap();
        return status == 0 ? Stopwatch.GetElapsedTime(_start) : throw new BenchException($"a process ended with status 0x{status:x}");
    }

    /// <summary>Ends it, if it still runs.</summary>
    public void Dispose()
    {
        if (!_ended)
        {
            _ = kill(Id, SIGKILL);
            Reap();
        }

        _ = close(_output);
        _ = close(_input);
    }

    private bool ReadSome()
    {
        if (_length == _seen.Length)
            throw new BenchException("a process says too much");
        fixed (byte* seen = _seen)
        {
            nint n = (nint)(long)read(_output, seen + _length, _seen.Length - _length);
            _length += (int)Math.Max(n, 0);
            return n > 0;
        }
    }

    private int Reap()
    {
        int status;
        _ = waitpid(Id, &status, 0);
        _ended = true;
        return status;
    }

    // What Tmds.LibC lacks.
    [LibraryImport("libc")]
    private static partial int waitpid(int id, int* status, int options);

    [LibraryImport("libc")]
    private static partial int posix_spawn(int* id, byte* path, byte* actions, void* attributes, byte** words, byte** environment);

    [LibraryImport("libc")]
    private static partial int posix_spawn_file_actions_init(byte* actions);

    [LibraryImport("libc")]
    private static partial int posix_spawn_file_actions_adddup2(byte* actions, int from, int to);

    [LibraryImport("libc")]
    private static partial int posix_spawn_file_actions_addopen(byte* actions, int descriptor, byte* path, int flags, uint mode);

    [LibraryImport("libc")]
    private static partial int posix_spawn_file_actions_destroy(byte* actions);
}
