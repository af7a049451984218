// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using System.Text;

namespace Lguest.Bench;

/// <summary>A guest whose shell is typed into.</summary>
internal sealed class NetworkGuest : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(120);
    private readonly Process _process;
    private readonly string _prompt;
    private readonly StringBuilder _output = new();
    private int _read;

    /// <summary>Starts it and waits for its prompt.</summary>
    public NetworkGuest(string prompt, string launcher, params string[] arguments)
    {
        _prompt = prompt;
        _process = Process.Start(new ProcessStartInfo(launcher, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        Thread reader = new(Pump) { IsBackground = true };
        reader.Start();
        WaitFor(prompt);
    }

    /// <summary>Types a line and reads the answer.</summary>
    public string Command(string line)
    {
        Type(line);
        return WaitFor(_prompt);
    }

    /// <summary>Types a line.</summary>
    public void Type(string line)
    {
        _process.StandardInput.Write(line + "\n");
        _process.StandardInput.Flush();
    }

    /// <summary>Reads until the prompt is there again.</summary>
    public string WaitForPrompt() => WaitFor(_prompt);

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            _process.WaitForExit();
        }

        _process.Dispose();
    }

    private string WaitFor(string text)
    {
        Stopwatch watch = Stopwatch.StartNew();
        while (watch.Elapsed < s_patience && !_process.HasExited)
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

            Thread.Sleep(1);
        }

        throw new BenchException($"a guest does not say \"{text}\"; it said: {_output}");
    }

    private void Pump()
    {
        char[] buffer = new char[4096];
        while (_process.StandardOutput.Read(buffer) is var count and > 0)
        {
            lock (_output)
                _output.Append(buffer, 0, count);
        }
    }
}
