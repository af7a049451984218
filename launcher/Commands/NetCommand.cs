// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Text;
using Lguest.Devices;
using Lguest.Devices.Backends.Network;
using Lguest.Launcher.Common;

namespace Lguest.Launcher.Commands;

/// <summary><c>lguest net FILE</c>: who is on the network of --sharenet=FILE, and how busy they are.</summary>
public static class NetCommand
{
    private const string Usage = "lguest net FILE";

    /// <summary>Prints the table.</summary>
    /// <exception cref="LaunchException">The file is not there, or not a network's.</exception>
    public static int Run(ReadOnlySpan<string> arguments)
    {
        if (arguments.Length == 1 && arguments[0] is "-h" or "--help")
            return HostOutput.Print($"Usage: {Usage}\n\nShows who is on the network of --sharenet=FILE: addresses, processes, packets and bytes.\n");
        if (arguments.Length != 1)
            throw new LaunchException($"which network? Usage: {Usage}, where FILE is what the guests' --sharenet names");
        try
        {
            return HostOutput.Print(Table(arguments[0], SegmentSurvey.Take(arguments[0])));
        }
        catch (DeviceException failure)
        {
            throw new LaunchException(failure.Message);
        }
    }

    internal static string Table(string path, IReadOnlyList<SegmentSlot> slots)
    {
        StringBuilder text = new();
        if (slots.Count == 0)
            return $"nobody is on {path}\n";
        text.Append(CultureInfo.InvariantCulture, $"{"slot",4}  {"address",-18} {"process",-22} {"received",9} {"bytes",12} {"lost",6}  {"sent",9} {"bytes",12} {"lost",6}  state\n");
        foreach (SegmentSlot slot in slots)
        {
            string address = slot.Address is { } mac ? mac + (slot.Promiscuous ? "*" : string.Empty) : "-";
            text.Append(CultureInfo.InvariantCulture, $"{slot.Slot,4}  {address,-18} {Process(slot),-22} ");
            if (slot.Report is { } report)
                text.Append(CultureInfo.InvariantCulture, $"{report.Received,9} {report.ReceivedBytes,12} {report.ReceiveDrops,6}  {report.Sent,9} {report.SentBytes,12} {report.SendDrops,6}  ");
            else
                text.Append(CultureInfo.InvariantCulture, $"{"-",9} {"-",12} {"-",6}  {"-",9} {"-",12} {"-",6}  ");
            text.Append(State(slot)).Append('\n');
        }

        if (slots.Any(s => s.Promiscuous))
            text.Append("* wants every packet (promiscuous or multicast)\n");
        return text.ToString();
    }

    private static string Process(SegmentSlot slot)
    {
        if (slot.ProcessId == 0)
            return "-";
        try
        {
            string name = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{slot.ProcessId}/comm")).TrimEnd();
            return string.Create(CultureInfo.InvariantCulture, $"{slot.ProcessId} {name}");
        }
        catch (IOException)
        {
            return slot.ProcessId.ToString(CultureInfo.InvariantCulture);
        }
    }

    private static string State(SegmentSlot slot) => slot switch
    {
        { Taken: false } => "left behind by a guest that is gone",
        { Report: null } => "does not answer (stopped, or another launcher)",
        { Capacity: 0 } => "interface down",
        _ => "up",
    };
}
