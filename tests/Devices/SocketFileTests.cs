// SPDX-License-Identifier: GPL-2.0-or-later
using System.Net.Sockets;
using Lguest.Devices;
using Lguest.Tests.Support;
using Mono.Unix.Native;

namespace Lguest.Tests.Devices;

/// <summary>Sockets with a name: nothing of the user's is replaced or removed but what nobody uses.</summary>
public sealed class SocketFileTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    private string Path => System.IO.Path.Combine(_directory.Path, "socket");

    /// <inheritdoc/>
    public void Dispose() => _directory.Dispose();

    [Fact]
    public void ItIsTheUsersAlone()
    {
        using SocketFile file = Listen();
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path));
        Assert.Equal([Path], Directory.GetFileSystemEntries(_directory.Path));
        Assert.True(IsSocket());
    }

    /// <summary>connect(2) says of an ordinary file what it says of a socket that nobody listens at: refused.</summary>
    [Fact]
    public void AFileStaysWhatItIs()
    {
        _directory.File("socket", [1, 2, 3]);
        Assert.Equal($"cannot listen at '{Path}': a file of that name is there, and only a socket that nobody uses any more is replaced; name another", Refusal());
        Assert.Equal([1, 2, 3], File.ReadAllBytes(Path));
        Assert.Single(Directory.GetFileSystemEntries(_directory.Path));
    }

    [Fact]
    public void SoDoALinkADirectoryAndAPipe()
    {
        // Even where the link leads to a deserted socket.
        string real = System.IO.Path.Combine(_directory.Path, "real");
        Desert(real);
        File.CreateSymbolicLink(Path, real);
        Assert.Contains("a symbolic link of that name is there", Refusal(), StringComparison.Ordinal);
        Assert.True(File.Exists(real));
        File.Delete(Path);
        Directory.CreateDirectory(Path);
        Assert.Contains("a directory of that name is there", Refusal(), StringComparison.Ordinal);
        Directory.Delete(Path);
        Assert.Equal(0, Syscall.mkfifo(Path, FilePermissions.S_IRUSR));
        Assert.Contains("a pipe of that name is there", Refusal(), StringComparison.Ordinal);
        Assert.True(File.Exists(Path));
    }

    [Fact]
    public void ADesertedSocketIsReplaced()
    {
        Desert(Path);
        using SocketFile file = Listen();
        using Socket caller = Call();
        Assert.Single(Directory.GetFileSystemEntries(_directory.Path));
    }

    [Fact]
    public void OneThatIsUsedIsNot()
    {
        using SocketFile file = Listen();
        Assert.Equal($"cannot listen at '{Path}': process {Environment.ProcessId} does already (another guest?); each needs a socket of its own", Refusal());
        using Socket caller = Call();

        // One that is full answers EAGAIN or waits; one of another kind EPROTOTYPE: somebody is there all the same.
        string other = System.IO.Path.Combine(_directory.Path, "datagrams");
        using Socket datagrams = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        datagrams.Bind(new UnixDomainSocketEndPoint(other));
        Assert.Contains("somebody does already", Assert.Throws<DeviceException>(() => SocketFile.Listen(other)).Message, StringComparison.Ordinal);
        Assert.True(File.Exists(other));
    }

    [Fact]
    public void OnlyWhatWasMadeIsRemoved()
    {
        using (Listen())
        {
        }

        Assert.False(File.Exists(Path));

        // Somebody has put something else in its place meanwhile: a file, a socket.
        using (Listen())
        {
            File.Delete(Path);
            File.WriteAllText(Path, "precious");
        }

        Assert.Equal("precious", File.ReadAllText(Path));
        File.Delete(Path);
        using SocketFile second = Listen();
        using (SocketFile first = second)
        {
            File.Delete(Path);
            Desert(Path);
        }

        Assert.True(IsSocket());
    }

    /// <summary>Ten at once for one name: one has it, and can be called, nine are told so.</summary>
    [Fact]
    public void OneOfManyGetsTheName()
    {
        for (int round = 0; round < 20; round++)
        {
            int refused = 0;
            SocketFile?[] files = new SocketFile?[10];
            Parallel.For(0, files.Length, i =>
            {
                try
                {
                    files[i] = Listen();
                }
                catch (DeviceException)
                {
                    Interlocked.Increment(ref refused);
                }
            });
            Assert.Equal(9, refused);
            using (Socket caller = Call())
                Assert.True(caller.Connected);
            foreach (SocketFile? file in files)
            {
                if (file == null)
                    continue;
                _ = Syscall.close(file.Descriptor);
                file.Dispose();
            }

            Assert.Empty(Directory.GetFileSystemEntries(_directory.Path));
        }
    }

    /// <summary>A hundred callers at once are none too many.</summary>
    [Fact]
    public void AHundredMayWait()
    {
        using SocketFile file = Listen();
        List<Socket> callers = [];
        for (int i = 0; i < 100; i++)
        {
            callers.Add(new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { Blocking = false });
            callers[^1].Connect(new UnixDomainSocketEndPoint(Path));
        }

        callers.ForEach(static caller => caller.Dispose());
    }

    private SocketFile Listen() => SocketFile.Listen(Path);

    private string Refusal() => Assert.Throws<DeviceException>(Listen).Message;

    private bool IsSocket() => Syscall.lstat(Path, out Stat status) == 0 && (status.st_mode & FilePermissions.S_IFMT) == FilePermissions.S_IFSOCK;

    private Socket Call()
    {
        Socket caller = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        caller.Connect(new UnixDomainSocketEndPoint(Path));
        return caller;
    }

    /// <summary>Leaves a socket behind, as a launcher does that is killed.</summary>
    private static void Desert(string path)
    {
        SocketFile file = SocketFile.Listen(path);
        _ = Syscall.close(file.Descriptor);
    }
}
