// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Engine.Memory;

/// <summary>An instruction has come to a device that it must not reach now: nothing that it did counts.</summary>
internal sealed class DeviceReachedException : Exception;
