// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices;
using Lguest.Devices.Backends.Network;
using Lguest.Devices.Bus.Dma;
using Lguest.Devices.Models;
using Lguest.GuestAbi;
using Lguest.Launcher.Commands;
using Lguest.Tests.Support;

namespace Lguest.Tests.Fuzz.Targets;

/// <summary>
/// The page of a shared network: as it is found when a guest joins, and as another process changes it while the guest is on it,
/// cut short in the end.
/// </summary>
internal sealed class SegmentPageTarget : IFuzzTarget
{
    private const int Header = 4;
    private readonly string _path = Path.Combine(new TemporaryDirectory().Path, "lan");
    private readonly TestGuest _guest = new();

    public IEnumerable<byte[]> Seeds
    {
        get
        {
            yield return [0, 0, 0, 0];
            yield return [0, 0, 0, 9, .. new byte[6 * 5], 2, 0, 1, 0, 0, 0, 3, 0, 2, 0, 0, 0];
            yield return [0, 1, 0, 3, .. Enumerable.Repeat((byte)0xFF, (int)Page.Size)];
            yield return [1, 0, 0, 0, 1, 2, 3];
            yield return [0, 0, 1, 100, 2, 0, 0, 1, 0, 0];
            yield return [0, 0, 2, 5, .. Enumerable.Repeat<byte[]>([2, 0, 0, 1, 0, 0], NetPage.Slots).SelectMany(address => address)];
        }
    }

    public IReadOnlyList<byte[]> Words { get; } = [[2, 0, 0, 0, 0, 0], [3, 0, 0, 0, 0, 0], [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], [0, 0, 0, 0, 0, 0]];

    public int LongestCase => Header + (int)Page.Size + 100;

    public ulong Run(byte[] bytes)
    {
        CaseReader reader = new(bytes);
        bool exact = reader.Byte() % 4 != 1;
        byte freeSlot = reader.Byte() % 2 == 0 ? (byte)0 : (byte)0xFF;
        int cut = reader.Byte() % 3;
        int shift = reader.Byte();
        byte[] content = reader.Rest().ToArray();
        byte[] page = exact ? [.. content.Take((int)Page.Size), .. new byte[Math.Max(0, (int)Page.Size - content.Length)]] : content;
        File.WriteAllBytes(_path, page);
        Signature signature = new();
        try
        {
            IReadOnlyList<SegmentSlot> slots = SegmentSurvey.Take(_path);
            signature.AddCount(slots.Count);
            signature.AddCount(NetCommand.Table(_path, slots).Length);
            using SharedSegment place = SharedSegment.Join(_path, freeSlot);
            signature.AddCount(place.Page.Slot);
            DmaNet device = DmaNet.OnSegment(new NetworkModel(place), place);
            DmaBus bus = new(_guest.Memory, TestGuest.Ram);
            bus.Add(device);
            bus.Connect(_guest.Fake);
            Spoil(page, shift);
            signature.Add(place.Page.TryTakeNumber((ushort)shift) ? 1u : 0);
            uint devicePage = bus.Devices[0].Memory!.Value.Start;
            for (uint offset = 0; offset < Page.Size; offset += sizeof(uint))
                signature.AddCount(_guest.Memory.ReadUInt32(devicePage + offset));
            if (cut != 0)
            {
                using FileStream file = File.OpenWrite(_path);
                file.SetLength(cut == 1 ? 0 : shift);
            }

            _guest.WriteDma(0x1000, (0x4000, 100));
            bus.HandleOutput(_guest.Fake, 0x1000, devicePage + NetPage.KeyOf(shift));
            device.ReadInput();
            device.Deliver();
            signature.AddCount(_guest.Memory.ReadUInt32(devicePage + (uint)(shift & ~3)));
            signature.Add(place.IsCut ? 1u : 0);
        }
        catch (DeviceException refusal)
        {
            signature.AddSentence(refusal.Message);
        }

        return signature.Value;
    }

    /// <summary>What another process writes meanwhile: the same, a few bytes further on.</summary>
    private void Spoil(byte[] page, int shift)
    {
        using FileStream file = new(_path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
        file.Position = Math.Min(shift, page.Length);
        file.Write(page, 0, page.Length - (int)file.Position);
    }
}
