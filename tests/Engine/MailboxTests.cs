// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Debugging;
using Lguest.GuestAbi.Debugging;

namespace Lguest.Tests.EngineParts;

/// <summary>Work for a guest's owner, from other threads, at the moment when the guest ends.</summary>
public sealed class MailboxTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    /// <summary>Waking reaches into what the owner frees next: whoever is in the middle of it is waited for.</summary>
    [Fact]
    public async Task ClosingWaitsForWhoeverIsWakingTheOwner()
    {
        using ManualResetEventSlim waking = new();
        using ManualResetEventSlim goOn = new();
        int wakes = 0;
        Mailbox box = new(() =>
        {
            wakes++;
            waking.Set();
            goOn.Wait();
        });
        Task asking = Task.Factory.StartNew(() => box.Invoke(static () => { }), TaskCreationOptions.LongRunning);
        Assert.True(waking.Wait(s_patience));
        Task closing = Task.Factory.StartNew(box.Close, TaskCreationOptions.LongRunning);
        await Task.WhenAny(closing, Task.Delay(300));
        Assert.False(closing.IsCompleted, "closed while somebody was waking the owner");
        goOn.Set();
        await closing.WaitAsync(s_patience);
        await Assert.ThrowsAsync<GuestGoneException>(() => asking.WaitAsync(s_patience));

        // And from now on nobody is woken.
        Assert.Throws<GuestGoneException>(() => box.Invoke(static () => { }));
        Assert.False(box.Post(static () => { }));
        Assert.Equal(1, wakes);
    }

    /// <summary>What was put in is done, in order; what fails fails where it came from.</summary>
    [Fact]
    public async Task LettersAreOpenedInOrder()
    {
        Mailbox box = new(static () => { });
        List<int> done = [];
        Assert.True(box.IsEmpty);
        Assert.True(box.Post(() => done.Add(1)));
        Assert.True(box.Post(() => done.Add(2)));
        Assert.False(box.IsEmpty);
        box.Work();
        Assert.Equal([1, 2], done);
        Task asking = Task.Factory.StartNew(() => box.Invoke(static () => throw new InvalidOperationException("no")), TaskCreationOptions.LongRunning);
        Assert.True(SpinWait.SpinUntil(() => !box.IsEmpty, s_patience));
        box.Work();
        await Assert.ThrowsAsync<InvalidOperationException>(() => asking.WaitAsync(s_patience));
    }
}
