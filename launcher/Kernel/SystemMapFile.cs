// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using Lguest.Inspect.Common;
using Lguest.Inspect.Symbols;
using Lguest.Launcher.Common;

namespace Lguest.Launcher.Kernel;

/// <summary>The System.map of <c>--symbols</c>: the names of a kernel whose own file has none.</summary>
public static class SystemMapFile
{
    /// <summary>That of a kernel has some megabytes.</summary>
    private const long LongestFile = 256 << 20;

    /// <summary>Reads one.</summary>
    /// <exception cref="LaunchException">The file cannot be read, or is no such thing.</exception>
    public static SymbolTable Read(string path)
    {
        using KernelFile file = KernelFile.Open("System.map", path);
        if (file.Length > LongestFile)
            throw new LaunchException($"'{path}' has {file.Length} bytes: that is no System.map");
        byte[] text = new byte[file.Length];
        file.Read(text, 0);
        try
        {
            return SymbolTable.FromSystemMap(path, Encoding.UTF8.GetString(text));
        }
        catch (InspectException nonsense)
        {
            throw new LaunchException(nonsense.Message);
        }
    }
}
