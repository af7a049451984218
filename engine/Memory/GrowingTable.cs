// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Engine.Memory;

/// <summary>
/// A table that only grows, in chunks that stay where they are. A boot fills tables of some megabytes: one array that doubles would be
/// written three times over on the way there, copied twice, and leave as much to the collector again.
/// </summary>
/// <typeparam name="T">What an entry is.</typeparam>
internal sealed class GrowingTable<T>
    where T : struct
{
    private const int ChunkShift = 10;
    private const int ChunkLength = 1 << ChunkShift;

    private T[][] _chunks = [];
    private int _chunkCount;

    /// <summary>An entry, which must have been made room for.</summary>
    public ref T this[int index] => ref _chunks[index >> ChunkShift][index & (ChunkLength - 1)];

    /// <summary>Makes room for the entry after those there are, which begins as zeroes the first time.</summary>
    /// <param name="index">At most one more than ever before.</param>
    public void MakeRoom(int index)
    {
        if (index >> ChunkShift < _chunkCount)
            return;
        if (_chunkCount == _chunks.Length)
            Array.Resize(ref _chunks, Math.Max(4, _chunkCount * 2));
        _chunks[_chunkCount++] = new T[ChunkLength];
    }
}
