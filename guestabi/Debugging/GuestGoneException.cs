// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi.Debugging;

/// <summary>There is no guest any more that could be asked.</summary>
public sealed class GuestGoneException() : Exception("the guest is gone");
