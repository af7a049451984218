// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Launcher.Run.Console;

/// <summary>Whoever is at the other end of a relayed console: there is nobody, or one.</summary>
internal interface IConsolePeer : IDisposable
{
    /// <summary>A descriptor that is readable when somebody comes; -1 where one must look from time to time.</summary>
    int Arrivals { get; }

    /// <summary>Where the peer's bytes are read and written, without waiting; -1 while there is nobody.</summary>
    int Descriptor { get; }

    /// <summary>Looks whether somebody has come.</summary>
    void Look();

    /// <summary>The peer has gone.</summary>
    void Leave();
}
