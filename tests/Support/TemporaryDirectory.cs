// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Tests.Support;

/// <summary>A directory for one test; it goes with the test.</summary>
public sealed class TemporaryDirectory : IDisposable
{
    /// <summary>Where.</summary>
    public string Path { get; } = Directory.CreateTempSubdirectory("lguest-test-").FullName;

    /// <summary>Writes a file.</summary>
    /// <returns>Its path.</returns>
    public string File(string name, byte[] content)
    {
        string path = System.IO.Path.Combine(Path, name);
        System.IO.File.WriteAllBytes(path, content);
        return path;
    }

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(Path, recursive: true);
}
