// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;

namespace Lguest.Launcher.Sandbox;

/// <summary>One system call that every thread is to make for itself. Laid out for the emitted handler of <see cref="EveryThread"/>.</summary>
/// <param name="Number">Of the call.</param>
/// <param name="A">First argument.</param>
/// <param name="B">Second argument.</param>
/// <param name="C">Third argument.</param>
/// <param name="D">Fourth argument.</param>
/// <param name="E">Fifth argument.</param>
/// <param name="MayFail">1 when a failure does not matter.</param>
[StructLayout(LayoutKind.Sequential)]
internal readonly record struct ThreadCall(long Number, nint A, nint B, nint C, nint D, nint E, long MayFail);
