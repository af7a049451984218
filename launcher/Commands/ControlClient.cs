// SPDX-License-Identifier: GPL-2.0-or-later
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using Lguest.Devices;
using Lguest.Devices.Backends;
using Lguest.Inspect.Control;
using Lguest.Inspect.Sockets;
using Lguest.Launcher.Common;
using static Tmds.Linux.LibC;

namespace Lguest.Launcher.Commands;

/// <summary><c>lguest ctl PATH COMMAND</c>: talks to a guest that was started with <c>--control=unix:PATH</c>.</summary>
public static class ControlClient
{
    /// <summary>^], as in telnet: leaves the console, and the guest as it is.</summary>
    public const byte DetachKey = 0x1D;

    private const int StandardInput = 0;
    private const int StandardOutput = 1;

    /// <summary>Has a command carried out, and prints what comes of it.</summary>
    /// <param name="arguments">Path and command; <c>unix:</c> may stand in front of the path.</param>
    /// <returns>The exit status: 0 when it was done.</returns>
    /// <exception cref="LaunchException">Nobody listens there, or nothing was asked.</exception>
    public static int Run(IReadOnlyList<string> arguments)
    {
        // A socket may have the name of a command, but hardly that of an option.
        if (arguments.Contains("--help") || arguments.Contains("-h"))
            return HostOutput.Print($"Usage: lguest ctl PATH COMMAND\n\nPATH is the socket given to --control=unix:PATH. Commands:\n{ControlCommand.AllHelp}");
        if (arguments.Count < 2)
            throw new LaunchException($"lguest ctl PATH COMMAND: the path given to --control=unix:PATH, and one of\n{ControlCommand.AllHelp.TrimEnd()}");
        string path = arguments[0];
        SocketAddress address = SocketAddress.ParseUnix("control", path.StartsWith("unix:", StringComparison.Ordinal) ? path : "unix:" + path);
        int fd = SocketFile.Connect(address.Path!, out string problem);
        if (fd < 0)
            throw new LaunchException($"no guest listens at '{address.Path}': {problem}; was it started with --control=unix:{address.Path}?");
        using Socket socket = new(new SafeSocketHandle(fd, ownsHandle: true));
        string command = string.Join(' ', arguments.Skip(1));
        socket.Send(Encoding.UTF8.GetBytes(command + "\n"));
        bool done = ReadVerdict(socket);
        if (command == "console" && done)
        {
            Attach(socket);
        }
        else
        {
            HostErrno error = Copy(socket);
            if (error == HostErrno.EPIPE)
                return ExitStatus.BrokenPipe;
            if (error != 0)
                throw new LaunchException($"standard output cannot be written: {HostMessage.Of(error)}");
        }

        return done ? ExitStatus.Success : ExitStatus.Failure;
    }

    private static bool ReadVerdict(Socket socket)
    {
        StringBuilder line = new();
        byte[] one = new byte[1];
        while (socket.Receive(one) == 1)
        {
            line.Append((char)one[0]);
            if (one[0] == '\n')
                break;
        }

        return line.ToString() == ControlServer.Done;
    }

    /// <summary>Prints what comes.</summary>
    /// <returns>0, or why it could not be printed.</returns>
    private static HostErrno Copy(Socket socket)
    {
        byte[] buffer = new byte[4096];
        try
        {
            for (int count; (count = socket.Receive(buffer)) > 0;)
            {
                HostErrno error = Write(buffer.AsSpan(0, count));
                if (error != 0)
                    return error;
            }
        }
        catch (SocketException)
        {
            // The guest, or its launcher, is gone.
        }

        return 0;
    }

    /// <summary>The console, until the detach key or the guest's end.</summary>
    private static void Attach(Socket socket)
    {
        using Terminal? terminal = Terminal.On(StandardInput);
        PosixSignalRegistration[] signals = [.. EndingSignal.All.Select(ending => PosixSignalRegistration.Create(ending.Signal, _ =>
        {
            // The terminal is the user's again before the process ends.
            terminal?.Restore();
            Environment.Exit(ending.Status);
        }))];
        terminal?.MakeRaw();
        HostOutput.Write(2, "[^] detaches]\r\n");
        new Thread(() => Type(socket)) { IsBackground = true }.Start();
        Copy(socket);
        terminal?.Restore();
        foreach (PosixSignalRegistration signal in signals)
            signal.Dispose();
        HostOutput.Write(2, "\n[detached]\n");
    }

    private static unsafe void Type(Socket socket)
    {
        byte[] keys = new byte[256];
        try
        {
            while (true)
            {
                long count;
                fixed (byte* to = keys)
                    count = read(StandardInput, to, keys.Length);

                // No more input is no reason to leave: the guest's answer may still come.
                if (count <= 0)
                    return;
                int detach = Array.IndexOf(keys, DetachKey, 0, (int)count);
                socket.Send(keys.AsSpan(0, detach < 0 ? (int)count : detach));
                if (detach >= 0)
                {
                    socket.Shutdown(SocketShutdown.Both);
                    return;
                }
            }
        }
        catch (Exception end) when (end is SocketException or ObjectDisposedException)
        {
        }
    }

    private static unsafe HostErrno Write(ReadOnlySpan<byte> bytes)
    {
        fixed (byte* start = bytes)
        {
            for (int done = 0; done < bytes.Length;)
            {
                long count = write(StandardOutput, start + done, bytes.Length - done);
                HostErrno error = count < 0 ? (HostErrno)errno : 0;
                if (error == HostErrno.EINTR)
                    continue;
                if (count <= 0)
                    return error;
                done += (int)count;
            }
        }

        return 0;
    }
}
