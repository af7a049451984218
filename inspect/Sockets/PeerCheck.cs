// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Lguest.Devices;
using Lguest.Devices.Native;
using static Tmds.Linux.LibC;

namespace Lguest.Inspect.Sockets;

/// <summary>
/// Who calls by TCP: anybody on this machine can connect to its loopback address, and whoever debugs a guest can do what its
/// launcher can. The kernel keeps a table of its connections with their owners; only the user's own (and root's) are let in. A
/// caller from another machine has been invited by name, and no kernel knows him.
/// </summary>
public sealed unsafe class PeerCheck : IDisposable
{
    /// <summary>Columns of a line of the tables: our end and the other's, the state, the owner, the inode.</summary>
    private const int LocalColumn = 1;
    private const int RemoteColumn = 2;
    private const int StateColumn = 3;
    private const int OwnerColumn = 7;
    private const int InodeColumn = 9;
    private const string Established = "01";

    private readonly Action<string> _say;
    private readonly HashSet<uint> _told = [];
    private readonly int[] _tables;
    private readonly uint _user = geteuid();

    /// <summary>Opens the kernel's tables: later that may not be possible any more.</summary>
    /// <param name="say">Hears of whoever is refused.</param>
    public PeerCheck(Action<string> say)
    {
        _say = say;
        _tables = [.. new[] { "/proc/self/net/tcp", "/proc/self/net/tcp6" }.Select(Open).Where(static fd => fd >= 0)];
        if (_tables.Length == 0)
            say($"the host does not let us know who connects ({HostMessage.Of((HostErrno)errno)}: /proc/net/tcp), so every user of this machine can attach a debugger; --gdb=unix:PATH is yours alone");
    }

    /// <summary>Whether a caller is let in. One who is not is told of, once a user.</summary>
    public bool Admits(Socket connection)
    {
        if (_tables.Length == 0 || connection.RemoteEndPoint is not IPEndPoint caller || connection.LocalEndPoint is not IPEndPoint ours)
            return true;
        if (OwnerOf(caller, ours) is { } owner)
        {
            if (owner == _user || owner == 0)
                return true;
            if (_told.Add(owner))
                _say(string.Create(CultureInfo.InvariantCulture, $"user {owner} wanted to attach a debugger, and was refused: only user {_user} and root may (--gdb=unix:PATH cannot even be reached by others)"));
            return false;
        }

        // No connection of this machine: somebody from outside, unless it was from inside and is closed already.
        return !IPAddress.IsLoopback(Plain(caller.Address)) && !Plain(caller.Address).Equals(Plain(ours.Address));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (int table in _tables)
            _ = close(table);
    }

    /// <summary>The user whose socket is the other end of a connection; null when it is none of this machine's.</summary>
    private uint? OwnerOf(IPEndPoint caller, IPEndPoint ours)
    {
        foreach (int table in _tables)
        {
            foreach (string line in Read(table).Split('\n'))
            {
                string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);

                // A socket that its owner has closed is shown as root's.
                if (words.Length > InodeColumn && words[StateColumn] == Established && words[InodeColumn] != "0"
                    && Is(words[LocalColumn], caller) && Is(words[RemoteColumn], ours)
                    && uint.TryParse(words[OwnerColumn], NumberStyles.None, CultureInfo.InvariantCulture, out uint owner))
                {
                    return owner;
                }
            }
        }

        return null;
    }

    private static bool Is(string text, IPEndPoint end) => Parse(text) is { } found && found.Port == end.Port && Plain(found.Address).Equals(Plain(end.Address));

    /// <summary><c>0100007F:04D2</c>: words of an address in the host's order of bytes, and a port.</summary>
    internal static IPEndPoint? Parse(string text)
    {
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        if (colon is not (8 or 32) || !ushort.TryParse(text.AsSpan(colon + 1), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ushort port))
            return null;
        byte[] address = new byte[colon / 2];
        for (int i = 0; i < address.Length; i += sizeof(uint))
        {
            if (!uint.TryParse(text.AsSpan(2 * i, 2 * sizeof(uint)), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint word))
                return null;
            BitConverter.TryWriteBytes(address.AsSpan(i), word);
        }

        return new IPEndPoint(new IPAddress(address), port);
    }

    private static IPAddress Plain(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;

    private static int Open(string path)
    {
        fixed (byte* name = PathBytes.Of(path))
            return open(name, O_RDONLY | O_CLOEXEC, 0);
    }

    private static string Read(int table)
    {
        // From the start each time: the kernel writes the table anew.
        StringBuilder text = new();
        _ = lseek(table, 0, SEEK_SET);
        byte* piece = stackalloc byte[4096];
        for (long count; (count = read(table, piece, 4096)) > 0;)
            text.Append(Encoding.ASCII.GetString(piece, (int)count));
        return text.ToString();
    }
}
