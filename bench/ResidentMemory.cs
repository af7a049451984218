// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Bench;

/// <summary>What a launcher has in memory, from /proc/PID/smaps.</summary>
/// <param name="GuestMiB">Pages of the guest, each once however often it is mapped.</param>
/// <param name="OtherMiB">Everything else: runtime, emitted code, tables, and the page tables for all the mappings.</param>
public sealed record ResidentMemory(double GuestMiB, double OtherMiB)
{
    private const string GuestMemory = "lguest-ram";

    /// <summary>Looks at a process that runs.</summary>
    public static ResidentMemory Of(int process)
    {
        long guest = 0, other = 0;
        bool ofGuest = false;
        foreach (string line in File.ReadLines($"/proc/{process}/smaps"))
        {
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            switch (words[0])
            {
                // A page that is mapped three times counts for a third each time.
                case "Pss:" when ofGuest:
                    guest += long.Parse(words[1]);
                    break;
                case "Rss:" when !ofGuest:
                    other += long.Parse(words[1]);
                    break;
                case string range when range.Contains('-') && !range.EndsWith(':'):
                    ofGuest = line.Contains(GuestMemory);
                    break;
            }
        }

        other += File.ReadLines($"/proc/{process}/status").Where(line => line.StartsWith("VmPTE:")).Sum(line => long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]));
        return new ResidentMemory(guest / 1024.0, other / 1024.0);
    }
}
