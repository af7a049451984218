// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using System.Text;

namespace Lguest.Bench;

/// <summary>A process that we time from outside.</summary>
public sealed class Child : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(180);
    private readonly Process _process;
    private readonly Stopwatch _watch;
    private readonly StringBuilder _output = new();
    private readonly Task<string> _error;
    private readonly byte[] _buffer = new byte[65536];

    /// <summary>Starts it.</summary>
    public Child(string[] command)
    {
        _watch = Stopwatch.StartNew();
        _process = Process.Start(new ProcessStartInfo(command[0], command[1..])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        _error = _process.StandardError.ReadToEndAsync();
    }

    /// <summary>Its process id.</summary>
    public int Id => _process.Id;

    /// <summary>How long since it was started.</summary>
    public TimeSpan Elapsed => _watch.Elapsed;

    /// <summary>
    /// The time that its threads have had on processors. On a busy machine that tells more than a clock on the wall does; what
    /// waits costs nothing here.
    /// </summary>
    public TimeSpan ProcessorTime => TimeSpan.FromMicroseconds(
        Directory.GetDirectories($"/proc/{Id}/task").Sum(task => long.Parse(File.ReadAllText(Path.Combine(task, "schedstat")).Split(' ')[0])) / 1000.0);

    /// <summary>What it has said so far.</summary>
    public string Output => _output.ToString();

    /// <summary>Reads on until its output holds this text; how long that took from its start.</summary>
    public TimeSpan WaitFor(string mark)
    {
        int seen = 0;
        for (; ; )
        {
            if (Output.IndexOf(mark, seen, StringComparison.Ordinal) >= 0)
                return _watch.Elapsed;
            seen = Math.Max(0, _output.Length - mark.Length);
            if (!ReadSome())
                throw new BenchException($"{_process.StartInfo.FileName} ended before it said \"{mark}\": {Output}{_error.Result}");
        }
    }

    /// <summary>Reads on until it ends; how long it lived.</summary>
    public TimeSpan WaitForEnd()
    {
        _process.StandardInput.Close();
        while (ReadSome())
        {
        }

        if (!_process.WaitForExit(Patience))
            throw new BenchException($"{_process.StartInfo.FileName} does not end");
        return _watch.Elapsed;
    }

    /// <summary>Ends it, if it still runs.</summary>
    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            _process.WaitForExit();
        }

        _process.Dispose();
    }

    private bool ReadSome()
    {
        using CancellationTokenSource patience = new(Patience);
        try
        {
            // The stream under the reader: a pipe's text is here as soon as it is written.
            int n = _process.StandardOutput.BaseStream.ReadAsync(_buffer, patience.Token).AsTask().GetAwaiter().GetResult();
            _output.Append(Encoding.Latin1.GetString(_buffer, 0, n));
            return n > 0;
        }
        catch (OperationCanceledException)
        {
            throw new BenchException($"{_process.StartInfo.FileName} says nothing for {Patience.TotalSeconds} s; before: {Output}");
        }
    }
}
