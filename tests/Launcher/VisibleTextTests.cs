// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Inspect.Common;

namespace Lguest.Tests.Launcher;

/// <summary>What a guest says does nothing to a terminal, and looks like nothing but what it is.</summary>
public sealed class VisibleTextTests
{
    [Theory]
    [InlineData("CRASH: Kernel panic - not syncing: VFS", "CRASH: Kernel panic - not syncing: VFS")]
    [InlineData("CRASH: \u001b]0;title\u0007", "CRASH: \\x1b]0;title\\x07")]
    [InlineData("oops\nlguest: all is well\r", "oops\\nlguest: all is well\\r")]
    [InlineData("\u009b2J \u202eevil\u2028", "\\x9b2J \\u202eevil\\u2028")]
    [InlineData("gr\u00fc\u00df dich \u00a0\u4f60", "gr\u00fc\u00df dich \u00a0\u4f60")]
    [InlineData("", "")]
    public void ControlCharactersAreShown(string text, string expected) => Assert.Equal(expected, VisibleText.Of(text));
}
