// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using System.Text;
using Lguest.Tests.Support;

namespace Lguest.Tests.Inspect;

/// <summary>A launcher that runs beside its test, with its output gathered as it comes.</summary>
internal sealed class WaitingLauncher : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly StringBuilder _output = new();
    private readonly StringBuilder _error = new();

    /// <summary>Starts it, with its sockets in a directory of its own.</summary>
    /// <param name="arguments">Its command line; GDB and CONTROL in it become the sockets' paths.</param>
    public WaitingLauncher(params string[] arguments)
    {
        Process = LauncherProcess.Start([.. arguments.Select(a => a
            .Replace("GDB", GdbSocket, StringComparison.Ordinal)
            .Replace("CONTROL", ControlSocket, StringComparison.Ordinal)
            .Replace("DIR", _directory.Path, StringComparison.Ordinal))]);
        Process.OutputDataReceived += (_, data) => Take(_output, data.Data);
        Process.ErrorDataReceived += (_, data) => Take(_error, data.Data);
        Process.BeginOutputReadLine();
        Process.BeginErrorReadLine();
    }

    public Process Process { get; }

    public string GdbSocket => Path.Combine(_directory.Path, "gdb.sock");

    public string ControlSocket => Path.Combine(_directory.Path, "ctl.sock");

    public string Output
    {
        get
        {
            lock (_output)
                return _output.ToString();
        }
    }

    public string Error
    {
        get
        {
            lock (_error)
                return _error.ToString();
        }
    }

    public string FileIn(string name) => Path.Combine(_directory.Path, name);

    public void Type(string text)
    {
        Process.StandardInput.Write(text);
        Process.StandardInput.Flush();
    }

    /// <summary>Waits until something is true.</summary>
    public void WaitUntil(Func<bool> condition, string what)
    {
        for (Stopwatch patience = Stopwatch.StartNew(); !condition(); Thread.Sleep(5))
        {
            if (patience.Elapsed > LauncherProcess.Patience)
                throw new TimeoutException($"{what} did not come to pass; output:\n{Output}\nstandard error:\n{Error}");
        }
    }

    /// <summary>Waits for a socket to be there.</summary>
    public void WaitForSocket(string path) => WaitUntil(() => File.Exists(path) || Process.HasExited, path);

    /// <summary>Waits for the end.</summary>
    /// <returns>The exit status.</returns>
    public int WaitForExit()
    {
        if (!Process.WaitForExit(LauncherProcess.Patience))
            throw new TimeoutException($"the launcher hangs; output:\n{Output}\nstandard error:\n{Error}");
        Process.WaitForExit();
        return Process.ExitCode;
    }

    public void Dispose()
    {
        if (!Process.HasExited)
            Process.Kill();
        Process.Dispose();
        _directory.Dispose();
    }

    private static void Take(StringBuilder text, string? line)
    {
        if (line == null)
            return;
        lock (text)
            text.Append(line).Append('\n');
    }
}
