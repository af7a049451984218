// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using Lguest.Devices.Native;
using Lguest.Tests.Support;
using Mono.Unix.Native;
using Tmds.Linux;

namespace Lguest.Tests.WholeSystem;

/// <summary>
/// A launcher on a terminal of its own, as a user has it: the terminal is its controlling one, what is typed goes through the
/// line discipline, and afterwards the settings can be compared with what they were.
/// </summary>
public sealed unsafe partial class PseudoTerminal : IDisposable
{
    // "Record separator": no guest of ours prints it.
    private const byte EndMark = 0x1E;

    private readonly int _master;
    private readonly int _slave;
    private readonly string _slaveName;
    private readonly string _errorFile = Path.GetTempFileName();
    private readonly StringBuilder _output = new();
    private readonly Thread _reader;
    private readonly ManualResetEventSlim _allRead = new();
    private Process? _process;
    private bool _stopped;
    private int _searched;

    /// <summary>Opens a pair.</summary>
    public PseudoTerminal()
    {
        int master;
        int slave;
        if (openpty(&master, &slave, null, null, null) != 0)
            throw new InvalidOperationException("openpty: " + Marshal.GetLastPInvokeErrorMessage());
        _master = master;
        _slave = slave;

        // Other tests start launchers at the same time, and must not hand them this terminal.
        const int CloseOnExec = 1;
        _ = Syscall.fcntl(master, FcntlCommand.F_SETFD, CloseOnExec);
        _ = Syscall.fcntl(slave, FcntlCommand.F_SETFD, CloseOnExec);
        _slaveName = Syscall.ttyname(slave);
        Before = Settings;
        _reader = new Thread(ReadAll) { IsBackground = true };
        _reader.Start();
    }

    /// <summary>The settings at the start.</summary>
    public string Before { get; }

    /// <summary>Every bit of the terminal's settings, as text that compares.</summary>
    public string Settings
    {
        get
        {
            if (!Termios.TryGet(_slave, out termios settings))
                throw new InvalidOperationException("not a terminal");
            return Convert.ToHexString(MemoryMarshal.AsBytes(new ReadOnlySpan<termios>(in settings)));
        }
    }

    /// <summary>Whether the terminal leaves all keys alone now.</summary>
    public bool IsRaw
    {
        get
        {
            Termios.TryGet(_slave, out termios settings);
            return (settings.c_lflag & (LibC.ISIG | LibC.ICANON | LibC.ECHO)) == 0;
        }
    }

    /// <summary>The launcher's process.</summary>
    public int ProcessId => _process!.Id;

    /// <summary>Processor time that the launcher has used, in all its threads.</summary>
    public TimeSpan ProcessorTime
    {
        get
        {
            _process!.Refresh();
            return _process.TotalProcessorTime;
        }
    }

    /// <summary>Everything on the screen so far.</summary>
    public string Output
    {
        get
        {
            lock (_output)
                return _output.ToString();
        }
    }

    /// <summary>What the launcher said on standard error.</summary>
    public string Error => File.ReadAllText(_errorFile);

    /// <summary>Starts the launcher on the terminal; its standard error goes elsewhere, to be looked at by itself.</summary>
    public void Start(params string[] arguments) => StartProgram(Needs.LauncherPath, arguments);

    /// <summary>Starts a program like that.</summary>
    public void StartProgram(string program, params string[] arguments)
    {
        // setsid -c makes the terminal the controlling one; nothing forks on the way, so the process id is the launcher's.
        ProcessStartInfo start = new("/bin/sh");
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add("tty=$1 err=$2; shift 2; exec setsid -c \"$@\" <\"$tty\" >\"$tty\" 2>\"$err\"");
        foreach (string argument in (string[])["sh", _slaveName, _errorFile, program, .. arguments])
            start.ArgumentList.Add(argument);
        _process = Process.Start(start)!;
    }

    /// <summary>Types.</summary>
    public void Type(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        fixed (byte* start = bytes)
        {
            if (Syscall.write(_master, start, (ulong)bytes.Length) != bytes.Length)
                throw new InvalidOperationException("could not type");
        }
    }

    /// <summary>
    /// ^C every 150 ms. Three alone within a second end the launcher: on a quiet machine the first three, on a busy one, which may
    /// show it several at once, some three of them.
    /// </summary>
    public void TypeControlCUntilItEnds()
    {
        const int pause = 150;
        for (Stopwatch watch = Stopwatch.StartNew(); !_process!.HasExited && watch.Elapsed < LauncherProcess.Patience;)
        {
            Type("\x03");
            _process.WaitForExit(pause);
        }
    }

    /// <summary>Waits until something new appears on the screen, after what was waited for before.</summary>
    public void WaitFor(string text)
    {
        Stopwatch watch = Stopwatch.StartNew();
        while (true)
        {
            string output = Output;
            int found = output.IndexOf(text, _searched, StringComparison.Ordinal);
            if (found >= 0)
            {
                _searched = found + text.Length;
                return;
            }

            if (watch.Elapsed > LauncherProcess.Patience || (_process!.HasExited && watch.Elapsed > TimeSpan.FromSeconds(2)))
                throw new TimeoutException($"no '{text}' on the screen:\n{output}\nstandard error:\n{Error}");
            Thread.Sleep(10);
        }
    }

    /// <summary>Waits until the launcher has taken the terminal.</summary>
    public void WaitUntilRaw()
    {
        Stopwatch watch = Stopwatch.StartNew();
        while (!IsRaw)
        {
            if (watch.Elapsed > LauncherProcess.Patience || _process!.HasExited)
                throw new TimeoutException($"the terminal was not made raw; standard error:\n{Error}");
            Thread.Sleep(5);
        }
    }

    /// <summary>Does what a shell does when its job has been stopped: sets the terminal for itself.</summary>
    public void MakeCooked()
    {
        Termios.TryGet(_slave, out termios settings);
        settings.c_lflag |= LibC.ISIG | LibC.ICANON | LibC.ECHO;
        Termios.Set(_slave, in settings, evenInBackground: true);
    }

    /// <summary>What is written to the terminal waits from now on, as after ^S.</summary>
    public void StopOutput()
    {
        const int OutputOff = 0;
        if (tcflow(_slave, OutputOff) != 0)
            throw new InvalidOperationException("tcflow: " + Marshal.GetLastPInvokeErrorMessage());
        _stopped = true;
    }

    /// <summary>Sends the launcher a signal.</summary>
    public void Signal(Signum signal) => Syscall.kill(ProcessId, signal);

    /// <summary>Waits for the end, and for what was on its way to the screen: a mark of ours that is written after it.</summary>
    /// <returns>The exit status.</returns>
    public int WaitForExit()
    {
        if (!_process!.WaitForExit(LauncherProcess.Patience))
        {
            _process.Kill();
            throw new TimeoutException($"the launcher hangs; screen:\n{Output}\nstandard error:\n{Error}");
        }

        if (!_stopped)
        {
            byte mark = EndMark;
            if (Syscall.write(_slave, &mark, 1) != 1 || !_allRead.Wait(LauncherProcess.Patience))
                throw new TimeoutException($"the screen is not read; screen:\n{Output}");
        }

        return _process.ExitCode;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_process is { HasExited: false })
            _process.Kill();
        _process?.Dispose();

        // The reader ends when the last slave descriptor is closed.
        _ = Syscall.close(_slave);
        _reader.Join(TimeSpan.FromSeconds(5));
        _ = Syscall.close(_master);
        _allRead.Dispose();
        File.Delete(_errorFile);
    }

    private void ReadAll()
    {
        byte[] bytes = new byte[4096];
        while (true)
        {
            long count;
            fixed (byte* start = bytes)
                count = Syscall.read(_master, start, (ulong)bytes.Length);
            if (count <= 0)
                return;
            string text = Encoding.Latin1.GetString(bytes, 0, (int)count);
            lock (_output)
                _output.Append(text.Replace(((char)EndMark).ToString(), string.Empty, StringComparison.Ordinal));
            if (text.Contains((char)EndMark, StringComparison.Ordinal))
                _allRead.Set();
        }
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int openpty(int* master, int* slave, byte* name, void* settings, void* size);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int tcflow(int fd, int action);
}
