// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Backends.Share;

namespace Lguest.Launcher.Sandbox;

/// <summary>What a sealed launcher must still be able to do, as its options say. All else is gone.</summary>
internal sealed record SealNeeds
{
    /// <summary>The launcher's own process.</summary>
    public int ProcessId { get; init; } = Environment.ProcessId;

    /// <summary>Processes that it has started, and ends: passt.</summary>
    public IReadOnlyList<int> Children { get; init; } = [];

    /// <summary>It has connections, or takes them: <c>--control</c>, <c>--gdb</c>, <c>--console=unix:</c> or <c>pty</c>, <c>--usernet</c>, <c>--sharenet</c>.</summary>
    public bool Talks { get; init; }

    /// <summary>It connects to guests that join later: <c>--sharenet</c>.</summary>
    public bool Connects { get; init; }

    /// <summary>Files that it opens once more, to read.</summary>
    public IReadOnlyList<string> Reads { get; init; } = [];

    /// <summary>Where the names are that may be removed and connected to.</summary>
    public (nint Start, nint End) HeldNames { get; init; }

    /// <summary>Files that it removes when it ends.</summary>
    public IReadOnlyList<string> Removes { get; init; } = [];

    /// <summary>Directories that it removes when it ends, if they are empty.</summary>
    public IReadOnlyList<string> RemovesDirectories { get; init; } = [];

    /// <summary>Folders in which it opens files: <c>--share</c>.</summary>
    public IReadOnlyList<SharedFolder> Folders { get; init; } = [];

    /// <summary>It changes files in one of them.</summary>
    public bool ChangesFolders => Folders.Any(static folder => !folder.IsReadOnly);

    /// <summary>The runtime was told to have pages that are writable and executable (DOTNET_EnableWriteXorExecute=0).</summary>
    public bool WritesWhereItExecutes { get; init; } = Environment.GetEnvironmentVariable("DOTNET_EnableWriteXorExecute") == "0";
}
