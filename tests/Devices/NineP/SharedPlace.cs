// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices;
using Lguest.Devices.Backends.Share;
using Lguest.Devices.Models.NineP;
using Lguest.Tests.Support;
using Mono.Unix;

namespace Lguest.Tests.Devices.NineP;

/// <summary>
/// A shared folder, and around it what a guest must never see: <c>outer/secret</c>, beside <c>outer/share</c>. In the share are
/// <c>file</c> and a folder <c>inner</c> with <c>deep</c>.
/// </summary>
internal sealed class SharedPlace : IDisposable
{
    public const string Secret = "nobody's business";

    private readonly TemporaryDirectory _directory = new();
    private readonly SharedFolder _share;
    private readonly UnixFileMode _secretMode;

    public SharedPlace(bool readOnly = false, int descriptors = 1000)
    {
        Outer = _directory.Path;
        Share = Path.Combine(Outer, "share");
        Directory.CreateDirectory(Share);
        File.WriteAllText(Path.Combine(Outer, "secret"), Secret);
        _secretMode = File.GetUnixFileMode(Path.Combine(Outer, "secret"));
        Fill();
        _share = SharedFolder.Open(Share, readOnly, new DescriptorBudget { Most = descriptors });
        Model = new NinePModel(_share, "test", new Complaints(Told.Add));
        Client = new NinePClient(Model).Mount();
    }

    public string Outer { get; }

    public string Share { get; }

    public NinePModel Model { get; }

    public NinePClient Client { get; }

    public List<string> Told { get; } = [];

    public string this[string name] => Path.Combine(Share, name);

    /// <summary>Puts into the share what is in it at first, and nothing else.</summary>
    public void Fill()
    {
        Empty(Share);
        Directory.CreateDirectory(Path.Combine(Share, "inner"));
        File.WriteAllText(Path.Combine(Share, "file"), "content");
        File.WriteAllText(Path.Combine(Share, "inner/deep"), "deep content");
    }

    /// <summary>Whether everything around the share is as it was.</summary>
    public bool IsOuterUntouched
    {
        get
        {
            string secret = Path.Combine(Outer, "secret");
            return Directory.GetFileSystemEntries(Outer).Length == 2 && Directory.Exists(Share)
                && File.ReadAllText(secret) == Secret && File.GetUnixFileMode(secret) == _secretMode;
        }
    }

    public void AssertOuterUntouched() => Assert.True(IsOuterUntouched, "something outside the share has changed");

    public void Dispose()
    {
        Model.Dispose();
        _share.Dispose();
        Empty(Share);
        _directory.Dispose();
    }

    /// <summary>Removes all that is in a folder, whatever its modes are, and whatever its names: a guest's need not be UTF-8.</summary>
    private static void Empty(string folder)
    {
        const UnixFileMode owners = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        File.SetUnixFileMode(folder, owners);
        foreach (FileSystemInfo entry in new DirectoryInfo(folder).EnumerateFileSystemInfos())
        {
            if (entry.Name.Contains('\uFFFD', StringComparison.Ordinal))
                continue;
            if (entry is DirectoryInfo { LinkTarget: null })
                Empty(entry.FullName);
            entry.Delete();
        }

        // What .NET has no name for.
        foreach (UnixFileSystemInfo rest in new UnixDirectoryInfo(folder).GetFileSystemEntries())
        {
            if (rest is UnixDirectoryInfo inner)
                inner.Delete(recursive: true);
            else
                rest.Delete();
        }
    }
}
