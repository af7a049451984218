// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Memory;
using Lguest.GuestAbi;
using Lguest.Tests.Contract;
using Lguest.Tests.Differential;

namespace Lguest.Tests.EngineParts;

/// <summary>Another process, as the guest's memory sees it, that writes what could do harm into pages that it shares with the guest.</summary>
internal sealed unsafe class NoisyNeighbour : IDisposable
{
    private const int Pause = 400;
    private const uint SystemCall = 0x050F_050F;
    private readonly ForeignPage[] _pages;
    private readonly Thread _thread;
    private readonly XorShift _random = new(0x1EAF);
    private bool _over;

    /// <summary>Begins at once.</summary>
    /// <param name="memory">The guest's, with no engine yet.</param>
    /// <param name="addresses">Which of its pages are shared.</param>
    public NoisyNeighbour(MappedGuestMemory memory, ReadOnlySpan<uint> addresses)
    {
        _pages = new ForeignPage[addresses.Length];
        for (int i = 0; i < addresses.Length; i++)
            _pages[i] = new ForeignPage(memory, addresses[i]);
        _thread = new Thread(Write) { IsBackground = true };
        _thread.Start();
    }

    public void Dispose()
    {
        Volatile.Write(ref _over, true);
        _thread.Join();
        foreach (ForeignPage page in _pages)
            page.Dispose();
    }

    private void Write()
    {
        while (!Volatile.Read(ref _over))
        {
            ulong dice = _random.Next();
            uint* place = (uint*)(_pages[(int)(dice % (ulong)_pages.Length)].Others + ((dice >> 8) % GuestPlan.EntriesPerTable * sizeof(uint)));
            uint before = *place;

            // Instructions of the host's; entries that lead out of the guest; frames of its own with other rights; a bit; and back.
            *place = ((dice >> 32) % 6) switch
            {
                0 => SystemCall,
                1 => 0x4000_0000 | GuestPlan.Mapped,
                2 => (((uint)dice >> 9) & 0x7_F000) | ((uint)(dice >> 40) & 0x67),
                3 => before ^ (1u << (int)((dice >> 40) % 32)),
                4 => (uint)_random.Next(),
                _ => 0,
            };
            Thread.SpinWait(Pause);
            if ((dice >> 50) % 4 != 0)
                *place = before;
            Thread.SpinWait(Pause);
        }
    }
}
