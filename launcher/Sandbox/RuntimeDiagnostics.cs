// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Runtime.CompilerServices;
using Lguest.Devices.Native;
using static Tmds.Linux.LibC;

namespace Lguest.Launcher.Sandbox;

/// <summary>
/// The runtime's doors for debuggers and profilers: a socket and two pipes in the temporary directory, through which anybody of
/// the same user can have code run in this process. The runtime opens them before any code of ours runs, and only an environment
/// variable (DOTNET_EnableDiagnostics=0) keeps it from that. So their names are removed: nobody finds them any more, and a
/// launcher that is killed leaves nothing there.
/// </summary>
internal static unsafe class RuntimeDiagnostics
{
    /// <summary>Removes them. A runtime compiled ahead has none.</summary>
    public static void Close()
    {
        if (!RuntimeFeature.IsDynamicCodeCompiled || StartOf("self") is not { } start)
            return;
        string directory = Environment.GetEnvironmentVariable("TMPDIR") is { Length: > 0 } named ? named.TrimEnd('/') : "/tmp";
        string process = string.Create(CultureInfo.InvariantCulture, $"{Environment.ProcessId}-{start}");
        Remove($"{directory}/dotnet-diagnostic-{process}-socket");
        Remove($"{directory}/clr-debug-pipe-{process}-in");
        Remove($"{directory}/clr-debug-pipe-{process}-out");
    }

    private static void Remove(string path)
    {
        fixed (byte* name = PathBytes.Of(path))
            _ = unlink(name);
    }

    /// <summary>When a process started, in the kernel's ticks: the part of their names that tells processes of one number apart.</summary>
    private static string? StartOf(string process)
    {
        const int StartField = 19;
        try
        {
            // The program's name may hold anything, but no parenthesis follows its own.
            string status = File.ReadAllText($"/proc/{process}/stat");
            string[] fields = status[(status.LastIndexOf(')') + 2)..].Split(' ');
            return fields.Length > StartField ? fields[StartField] : null;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
