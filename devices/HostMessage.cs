// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using Mono.Unix.Native;
using HostErrno = Mono.Unix.Native.Errno;

namespace Lguest.Devices;

/// <summary>The host's own words for its errors.</summary>
public static class HostMessage
{
    /// <summary>The text of an error number, as <c>strerror</c> gives it, with the small letter that the middle of a sentence wants.</summary>
    public static string Of(HostErrno error)
    {
        string text = Marshal.GetPInvokeErrorMessage(NativeConvert.FromErrno(error));
        return text.Length > 1 && char.IsLower(text[1]) ? char.ToLowerInvariant(text[0]) + text[1..] : text;
    }
}
