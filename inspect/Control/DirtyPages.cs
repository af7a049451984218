// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Lguest.GuestAbi;
using Lguest.Inspect.Target;

namespace Lguest.Inspect.Control;

/// <summary>What <c>lguest ctl PATH dirty</c> answers: the pages written since it was last asked. For the guest's owner.</summary>
internal static class DirtyPages
{
    /// <summary>Takes them; the first time, where nobody has asked for them yet, they are noted from now on.</summary>
    /// <param name="running">The guest.</param>
    /// <param name="json">Whether a program asks.</param>
    public static string Take(DebugTarget.Running running, bool json)
    {
        IDirtyTracker writes = running.Guest.Writes;
        bool isFirst = !writes.TracksWrites;
        writes.TrackWrites();
        IReadOnlyList<MemoryRange> runs = writes.TakeAndClear(new MemoryRange(0, running.Guest.Memory.Top));
        if (json)
            return Json(runs, isFirst);
        if (isFirst)
            return "written pages are noted from now on\n";
        StringBuilder text = new();
        ulong pages = Pages(runs);
        text.Append(CultureInfo.InvariantCulture, $"{pages:n0} pages written ({pages * (Page.Size / 1024):n0} KiB)\n");
        foreach (MemoryRange run in runs)
            text.Append(CultureInfo.InvariantCulture, $"  {run}  {run.Length >> Page.Shift,7:n0}\n");
        return text.ToString();
    }

    private static string Json(IReadOnlyList<MemoryRange> runs, bool isFirst)
    {
        using MemoryStream bytes = new();
        using (Utf8JsonWriter json = new(bytes, new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            json.WriteBoolean("begins_now", isFirst);
            json.WriteNumber("pages", Pages(runs));
            json.WriteStartArray("runs");
            foreach (MemoryRange run in runs)
            {
                json.WriteStartObject();
                json.WriteNumber("address", run.Start);
                json.WriteNumber("pages", run.Length >> Page.Shift);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(bytes.ToArray()) + "\n";
    }

    private static ulong Pages(IEnumerable<MemoryRange> runs)
    {
        ulong pages = 0;
        foreach (MemoryRange run in runs)
            pages += run.Length >> Page.Shift;
        return pages;
    }
}
