// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using System.Globalization;
using System.Text;
using Lguest.Tests.Support;

namespace Lguest.Tests.Network;

/// <summary>A guest in a launcher of its own, whose shell we type into and read from. It is killed with the test.</summary>
public sealed class RunningGuest : IDisposable
{
    private static readonly TimeSpan s_patience = LauncherProcess.Patience;

    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly string _prompt;
    private int _read;

    private RunningGuest(Process process, string prompt)
    {
        _process = process;
        _prompt = prompt;
        new Thread(() => Pump(process.StandardOutput)) { IsBackground = true }.Start();
        new Thread(() => Pump(process.StandardError)) { IsBackground = true }.Start();
    }

    /// <summary>The launcher's process number (ip netns exec becomes it).</summary>
    public int ProcessId => _process.Id;

    /// <summary>The launcher's process.</summary>
    public Process Process => _process;

    /// <summary>All that was said so far.</summary>
    public string Output
    {
        get
        {
            lock (_output)
                return _output.ToString();
        }
    }

    /// <summary>Starts the demo kernel and waits for its prompt.</summary>
    /// <param name="before">Words in front of the launcher, to run it elsewhere.</param>
    /// <param name="options">For the launcher.</param>
    /// <param name="address">The guest's.</param>
    public static RunningGuest Demo(string[] before, string[] options, string address)
    {
        RunningGuest guest = Start(before, [.. options, "16m", Needs.Guest("demo"), "ip=" + address], "demo> ");
        guest.WaitFor("demo> ");
        return guest;
    }

    /// <summary>Starts the real kernel with the test initrd and waits for its shell.</summary>
    public static RunningGuest Linux(string[] before, params string[] options) =>
        Linux(before, Environment.GetEnvironmentVariable("LGUEST_TEST_KERNEL")!, [.. options, "--initrd=" + Environment.GetEnvironmentVariable("LGUEST_TEST_INITRD")]);

    /// <summary>Starts a real kernel and waits for its shell.</summary>
    /// <param name="before">Words in front of the launcher, to run it elsewhere.</param>
    /// <param name="kernel">The kernel.</param>
    /// <param name="options">For the launcher; what gives the kernel a file system is among them.</param>
    /// <param name="words">For the kernel.</param>
    public static RunningGuest Linux(string[] before, string kernel, string[] options, params string[] words)
    {
        RunningGuest guest = Start(before, [.. options, "64m", kernel, "quiet", .. words], "guest# ");

        // Whatever prompt the initrd has; and an echo that is not taken for it.
        guest.WaitFor("# ");
        guest.Type("PS1='gue''st# '");
        guest.WaitFor("guest# ");
        return guest;
    }

    /// <summary>Types a line and returns what the guest says to it, up to the next prompt.</summary>
    public string Command(string line)
    {
        Type(line);
        string answer = WaitFor(_prompt);
        return answer;
    }

    /// <summary>Types a line.</summary>
    public void Type(string line)
    {
        _process.StandardInput.Write(line + "\n");
        _process.StandardInput.Flush();
    }

    /// <summary>Reads until some text comes.</summary>
    /// <returns>What came before it.</returns>
    public string WaitFor(string text)
    {
        Stopwatch clock = Stopwatch.StartNew();
        while (true)
        {
            lock (_output)
            {
                string rest = _output.ToString(_read, _output.Length - _read);
                int found = rest.IndexOf(text, StringComparison.Ordinal);
                if (found >= 0)
                {
                    _read += found + text.Length;
                    return rest[..found];
                }
            }

            if (clock.Elapsed > s_patience || _process.HasExited)
                throw new TimeoutException(string.Create(CultureInfo.InvariantCulture, $"no '{text}' from {_process.StartInfo.FileName} {string.Join(' ', _process.StartInfo.ArgumentList)}; it said: {Output}"));
            Thread.Sleep(5);
        }
    }

    /// <summary>Kills the launcher the hard way, and waits until it is gone.</summary>
    public void Kill()
    {
        _process.Kill();
        _process.WaitForExit();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_process.HasExited)
            Kill();
        _process.Dispose();
    }

    private static RunningGuest Start(string[] before, string[] arguments, string prompt)
    {
        string[] all = [.. before, Needs.LauncherPath, .. arguments];
        Process process = Process.Start(new ProcessStartInfo(all[0], all[1..])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        return new RunningGuest(process, prompt);
    }

    private void Pump(StreamReader reader)
    {
        char[] buffer = new char[4096];
        while (reader.Read(buffer) is var count and > 0)
        {
            lock (_output)
                _output.Append(buffer, 0, count);
        }
    }
}
