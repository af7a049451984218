// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Backends.Network;
using Lguest.Tests.Support;

namespace Lguest.Tests.Network;

/// <summary>What peers may cost: 4 ms, and a twentieth of the time.</summary>
public sealed class WaitBudgetTests
{
    private readonly ManualClock _clock = new();

    [Fact]
    public void ItIsSpentAndComesBack()
    {
        WaitBudget budget = new(_clock);
        Assert.Equal(2, Wait(budget, 2, inVain: true));
        Assert.Equal(2, Wait(budget, 2, inVain: true));
        Assert.Equal(0, budget.Grant(2));
        _clock.Advance(TimeSpan.FromMilliseconds(19));
        Assert.Equal(0, budget.Grant(2));
        _clock.Advance(TimeSpan.FromMilliseconds(2));
        Assert.Equal(1, budget.Grant(2));
        _clock.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(4, budget.Grant(50));
        Assert.Equal(TimeSpan.FromMilliseconds(4), budget.Waited);
    }

    /// <summary>The host may be slow: what a wait took counts, not what it was to take.</summary>
    [Fact]
    public void WhatItTookCounts()
    {
        WaitBudget budget = new(_clock);
        Assert.Equal(2, budget.Grant(2));
        _clock.Advance(TimeSpan.FromMilliseconds(100));
        budget.Spend(2, inVain: true);
        _clock.Advance(TimeSpan.FromMilliseconds(380));
        Assert.Equal(0, budget.Grant(2));
        _clock.Advance(TimeSpan.FromMilliseconds(100));
        Assert.Equal(2, budget.Grant(2));
    }

    /// <summary>Two guests that keep each other busy do not run out of it so soon.</summary>
    [Fact]
    public void WhatWasWorthItCostsLess()
    {
        WaitBudget budget = new(_clock);
        for (int i = 0; i < 8; i++)
            Assert.Equal(2, Wait(budget, 2, inVain: false));
        for (int i = 0; i < 20; i++)
            Wait(budget, 2, inVain: false);
        Assert.Equal(0, budget.Grant(2));
    }

    private int Wait(WaitBudget budget, int wanted, bool inVain)
    {
        int granted = budget.Grant(wanted);
        _clock.Advance(TimeSpan.FromMilliseconds(granted));
        budget.Spend(granted, inVain);
        return granted;
    }
}
