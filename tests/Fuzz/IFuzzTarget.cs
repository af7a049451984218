// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Tests.Fuzz;

/// <summary>A part of the product that gets bytes of somebody who means harm. It runs in a process of its own.</summary>
internal interface IFuzzTarget
{
    /// <summary>Cases that make sense: what mutation starts from.</summary>
    IEnumerable<byte[]> Seeds { get; }

    /// <summary>Pieces that chance would seldom find, and that mutation puts in.</summary>
    IReadOnlyList<byte[]> Words => [];

    /// <summary>Bytes of a case at most.</summary>
    int LongestCase => 4096;

    /// <summary>
    /// Runs a case. It may be refused in any way that the product promises; every exception that is none of these leaves, and is
    /// a find.
    /// </summary>
    /// <returns>
    /// A signature of what the case made the product do: cases with a new one are kept and mutated again. It must not depend on
    /// time, nor have very many values.
    /// </returns>
    ulong Run(byte[] bytes);
}

/// <summary>Something happened that must not, though nothing was thrown.</summary>
internal sealed class FuzzFindException(string message) : Exception(message);
