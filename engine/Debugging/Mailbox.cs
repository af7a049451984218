// SPDX-License-Identifier: GPL-2.0-or-later
using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using Lguest.GuestAbi.Debugging;

namespace Lguest.Engine.Debugging;

// [M:150] One thread owns a guest
/// <summary>
/// Work for the thread that owns a guest, handed over by threads that may not touch it. The owner looks in between two
/// stretches of guest code, so everything done there sees the guest at rest.
/// </summary>
/// <param name="wake">Makes the owner look soon. Called on the sender's thread, and never after <see cref="Close"/> has returned.</param>
internal sealed class Mailbox(Action wake)
{
    private readonly ConcurrentQueue<Letter> _letters = new();

    /// <summary>Held while a letter is put in: what wakes the owner is freed right after the box is closed.</summary>
    private readonly Lock _slot = new();
    private bool _closed;

    /// <summary>Whether there is nothing to do: all that the owner asks when nobody wants anything.</summary>
    public bool IsEmpty => _letters.IsEmpty;

    /// <summary>Has something done by the owner, and does not wait for it.</summary>
    /// <returns>False when there is no owner any more.</returns>
    public bool Post(Action work) => PutIn(new Letter(work, null));

    /// <summary>Has something done by the owner, and waits until it is done. Its exception is thrown here.</summary>
    /// <exception cref="GuestGoneException">There is no owner any more.</exception>
    public void Invoke(Action work)
    {
        // Not disposed of: the owner may still be inside of Set when the wait is over. It holds nothing that needs it.
        ManualResetEventSlim done = new();
        Letter letter = new(work, done);
        if (!PutIn(letter))
            throw new GuestGoneException();

        // The owner opens it, or refuses it when it closes the box.
        done.Wait();
        if (letter.Failure is { } failure)
            ExceptionDispatchInfo.Throw(failure);
    }

    /// <summary>Does what there is to do. The owner's thread only.</summary>
    public void Work()
    {
        while (_letters.TryDequeue(out Letter? letter))
            letter.Open();
    }

    /// <summary>Nothing more will be done. The owner's thread only.</summary>
    public void Close()
    {
        lock (_slot)
            _closed = true;
        while (_letters.TryDequeue(out Letter? letter))
            letter.Refuse();
    }

    private bool PutIn(Letter letter)
    {
        lock (_slot)
        {
            if (_closed)
                return false;
            _letters.Enqueue(letter);
            wake();
            return true;
        }
    }

    private sealed class Letter(Action work, ManualResetEventSlim? done)
    {
        public Exception? Failure { get; private set; }

        public void Open()
        {
            try
            {
                work();
            }
            catch (Exception failure) when (done is not null)
            {
                Failure = failure;
            }
            finally
            {
                done?.Set();
            }
        }

        public void Refuse()
        {
            Failure = new GuestGoneException();
            done?.Set();
        }
    }
}
