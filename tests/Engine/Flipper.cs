// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Tests.EngineParts;

/// <summary>Somebody who writes to memory all the time while others look at it: one value, then the next, around and around.</summary>
internal sealed unsafe class Flipper : IDisposable
{
    private readonly Thread _thread;
    private bool _over;

    private Flipper(Action write)
    {
        _thread = new Thread(() =>
        {
            while (!Volatile.Read(ref _over))
                write();
        })
        { IsBackground = true };
        _thread.Start();
    }

    /// <summary>A word.</summary>
    public static Flipper Of(uint* place, params uint[] values) => new(() =>
    {
        foreach (uint value in values)
        {
            Volatile.Write(ref *place, value);
            Thread.SpinWait(3);
        }
    });

    /// <summary>Two bytes: an instruction, mostly.</summary>
    public static Flipper Of(ushort* place, params ushort[] values) => new(() =>
    {
        foreach (ushort value in values)
        {
            Volatile.Write(ref *place, value);
            Thread.SpinWait(3);
        }
    });

    public void Dispose()
    {
        Volatile.Write(ref _over, true);
        _thread.Join();
    }
}
