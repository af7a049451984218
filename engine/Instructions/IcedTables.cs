// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;
using Iced.Intel;

namespace Lguest.Engine.Instructions;

/// <summary>
/// Iced's tables: one object for each of some 5,000 instructions, for the decoder and once more for the encoder. Iced makes them all
/// at first use, in more than a millisecond, a large part of a small guest's start. They need nothing of the guest, so another
/// processor can make them while the kernel is being loaded.
/// </summary>
internal static class IcedTables
{
    /// <summary>
    /// Has a thread of its own make them, and does not wait for it: who needs a table that is being made waits then, and who needs one
    /// that nobody has begun makes it. Does nothing where there is no other processor, or no other thread to be had.
    /// </summary>
    /// <param name="encoder">The encoder's, too.</param>
    /// <returns>The thread; null: there is none.</returns>
    public static Thread? MakeBeside(bool encoder)
    {
        if (Environment.ProcessorCount < 2)
            return null;
        Thread thread = new(() => TryMake(encoder)) { IsBackground = true, Name = "tables" };
        try
        {
            thread.Start();
        }
        catch (Exception refused) when (refused is OutOfMemoryException or ThreadStartException)
        {
            // It is only sooner that the tables are made; the host's limits are reported by who cannot do without.
            return null;
        }

        return thread;
    }

    private static void TryMake(bool encoder)
    {
        try
        {
            Make(encoder);
        }
        catch (Exception)
        {
            // No memory, or no Iced: whoever asks for the tables is told the same, on a thread that has a sentence for it.
        }
    }

    // By itself: where code is compiled as it goes, this method is what there may be no library for.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Make(bool encoder)
    {
        // In the order in which an engine that opens asks for them.
        _ = Decoder.Create(32, []);
        if (encoder)
            _ = Encoder.Create(64, new StreamCodeWriter(Stream.Null));
    }
}
