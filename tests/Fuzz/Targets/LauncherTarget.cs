// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using Lguest.Tests.Support;

namespace Lguest.Tests.Fuzz.Targets;

/// <summary>Kernel images through out/lguest: whatever is in them, the launcher ends as it says it does.</summary>
internal sealed class LauncherTarget : IFuzzTarget
{
    /// <summary>out/lguest's own promises: the guest's end, its death or a refusal, its time is up.</summary>
    private static readonly int[] s_statuses = [0, 1, 124];

    private static readonly string[] s_engines = ["interpreter", "translator", "check"];

    private readonly string _path = Path.Combine(new TemporaryDirectory().Path, "kernel");

    public IEnumerable<byte[]> Seeds => KernelCase.Seeds;

    public IReadOnlyList<byte[]> Words => KernelCase.Words;

    public int LongestCase => KernelCase.Longest;

    public ulong Run(byte[] bytes)
    {
        File.WriteAllBytes(_path, KernelCase.Unwrap(bytes));
        string engine = Needs.Engines.Count > 1 && bytes.Length > 0 ? s_engines[bytes[^1] % s_engines.Length] : s_engines[0];
        using Process process = LauncherProcess.Start("--engine=" + engine, "--timeout=100ms", "16m", _path);
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        process.StandardInput.Close();

        // A launcher that hangs is ended with this process, by the watch.
        process.WaitForExit();
        string words = error.Result;
        if (!s_statuses.Contains(process.ExitCode))
            throw new FuzzFindException($"the launcher ended with status {process.ExitCode}: {words}");
        if (words.Contains("internal error", StringComparison.Ordinal) || words.Contains("Unhandled", StringComparison.Ordinal) || words.Contains("this is a bug", StringComparison.Ordinal))
            throw new FuzzFindException($"the launcher says: {words}");
        Signature signature = new();
        signature.Add((ulong)process.ExitCode);
        signature.AddCount(output.Result.Length);
        foreach (string line in words.Split('\n'))
        {
            if (line.StartsWith("lguest: ", StringComparison.Ordinal))
                signature.AddSentence(line);
        }

        return signature.Value;
    }
}
