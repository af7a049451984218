// SPDX-License-Identifier: GPL-2.0-or-later
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Lguest.Inspect.Sockets;
using Lguest.Tests.Network;

namespace Lguest.Tests.Inspect;

/// <summary>Who may attach a debugger by TCP: the user himself, and root; nobody else of this machine.</summary>
public sealed partial class PeerCheckTests
{
    private const int Nobody = 65534;
    private readonly List<string> _said = [];

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    public void TheUserIsLetIn(string address)
    {
        (bool admitted, _) = Call(address, 0, leaves: false);
        Assert.True(admitted);
        Assert.Empty(_said);
    }

    /// <summary>The kernel makes a socket its thread's own user's, so that one thread of this test can be a stranger.</summary>
    [NetFact(NetNeed.OtherUser)]
    public void AStrangerIsNot()
    {
        (bool admitted, bool again) = Call("127.0.0.1", Nobody, leaves: false);
        Assert.False(admitted);
        Assert.False(again);
        Assert.Equal("user 65534 wanted to attach a debugger, and was refused: only user 0 and root may (--gdb=unix:PATH cannot even be reached by others)", Assert.Single(_said));
    }

    /// <summary>The table says root of a socket that its owner has closed: a stranger who is quick does not become root.</summary>
    [NetFact(NetNeed.OtherUser)]
    public void NorIsOneWhoHasLeftAgain()
    {
        (bool admitted, _) = Call("127.0.0.1", Nobody, leaves: true);
        Assert.False(admitted);
    }

    private (bool First, bool Second) Call(string address, int user, bool leaves)
    {
        using PeerCheck check = new(_said.Add);
        using Socket listener = new(AddressFamily.InterNetworkV6, SocketType.Stream, ProtocolType.Tcp) { DualMode = true };
        listener.Bind(new IPEndPoint(IPAddress.IPv6Any, 0));
        listener.Listen();
        IPEndPoint there = new(IPAddress.Parse(address), ((IPEndPoint)listener.LocalEndPoint!).Port);
        Socket? caller = null;
        Thread stranger = new(() =>
        {
            if (user != 0)
                _ = setfsuid((uint)user);
            caller = new Socket(there.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        });
        stranger.Start();
        stranger.Join();
        using Socket client = caller!;
        client.Connect(there);
        using Socket connection = listener.Accept();
        if (leaves)
            client.Close();
        return (check.Admits(connection), check.Admits(connection));
    }

    [LibraryImport("libc")]
    private static partial int setfsuid(uint user);
}
