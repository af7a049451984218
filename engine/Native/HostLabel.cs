// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Engine.Native;

/// <summary>A jump whose target is still open: see <see cref="HostAssembler.Bind(HostLabel)"/>.</summary>
/// <param name="Site">Where its displacement is, in bytes from the beginning of the code's room.</param>
/// <param name="IsShort">Whether that is one byte, or four.</param>
internal readonly record struct HostLabel(uint Site, bool IsShort);
