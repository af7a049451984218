// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Devices.Virtio;

/// <summary>A driver has put something into a queue that no driver may: the device goes out of service until it is reset.</summary>
internal sealed class VirtqueueException(string message) : Exception(message);
