// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Devices;

/// <summary>A device cannot be made from what the user gave. The message is a sentence for the user.</summary>
public sealed class DeviceException(string message) : Exception(message);
