// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;

namespace Lguest.Engine.Check;

/// <summary>What a turn of an engine did to memory, to be taken back and done again.</summary>
internal interface IMemoryChange
{
    /// <summary>Puts back what was there before.</summary>
    void TakeBack();

    /// <summary>Puts back what was there when this was made.</summary>
    void DoAgain();

    /// <summary>Tells who keeps something made of memory that these places are not as they were.</summary>
    void Announce(IHostWriteObserver observer);

    /// <summary>What was at an address when this was made; null if it was not changed.</summary>
    byte? After(uint physical);
}
