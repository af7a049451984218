// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using Lguest.GuestAbi.NineP;
using Lguest.Tests.Devices.NineP;

namespace Lguest.Tests.Fuzz.Targets;

/// <summary>
/// A share, and messages in a row: whatever they ask for, everything around the shared folder stays as it is, every answer is one, and
/// all that was opened is closed with the session.
/// </summary>
internal sealed class NinePTarget : IFuzzTarget, IDisposable
{
    private const int Descriptors = 60;
    private const int Room = 5000;

    private readonly SharedPlace _place = new(descriptors: Descriptors);
    private readonly byte[] _answer = new byte[Room];

    public IEnumerable<byte[]> Seeds
    {
        get
        {
            foreach (byte[] message in NinePMessages.All)
                yield return Step(message);
            Random random = new(20110);
            for (int i = 0; i < 40; i++)
                yield return [.. Enumerable.Range(0, 12).SelectMany(_ => Step(NinePMessages.All[random.Next(NinePMessages.All.Count)]))];
            yield return
            [
                .. Step(NinePClient.Message(NinePMessage.Symlink, 1u, "link", "..", 0u)),
                .. Step(NinePClient.Message(NinePMessage.Walk, 1u, 9u, (ushort)2, "link", "secret")),
                .. Step(NinePClient.Message(NinePMessage.Walk, 1u, 9u, (ushort)1, "link")),
                .. Step(NinePClient.Message(NinePMessage.Create, 9u, "new", (uint)NinePOpen.ReadWrite, 0x1A4u, 0u)),
            ];
        }
    }

    public IReadOnlyList<byte[]> Words { get; } =
        ["\u0002\0.."u8.ToArray(), "\u0006\0secret"u8.ToArray(), "\u000a\0/../secret"u8.ToArray(), "\u0001\0/"u8.ToArray(), "\u0004\0link"u8.ToArray(), "\u0005\0inner"u8.ToArray(), [1, 0, 0, 0], [9, 0, 0, 0], [0xFF, 0xFF, 0xFF, 0xFF]];

    public int LongestCase => 1500;

    public ulong Run(byte[] bytes)
    {
        _place.Fill();
        NinePClient client = _place.Client.Mount();
        client.Walk(1, 2, "file");
        client.Open(2, NinePOpen.ReadWrite);
        client.Walk(1, 3, "inner");
        client.Walk(3, 4);
        client.Open(4, NinePOpen.Read);
        CaseReader reader = new(bytes);
        ulong happened = 0;
        while (!reader.AtEnd)
        {
            bool keepsLength = reader.Byte() == byte.MaxValue;
            byte[] message = reader.Bytes(reader.Half() % 600).ToArray();
            if (!keepsLength && message.Length >= NinePFormat.Header)
                BinaryPrimitives.WriteInt32LittleEndian(message, message.Length);
            happened |= Send(message);
        }

        Signature signature = new();
        signature.Add(happened);
        signature.AddCount(_place.Model.Fids);
        signature.AddCount(_place.Model.Descriptors);
        if (_place.Model.Descriptors > Descriptors)
            throw new FuzzFindException($"{_place.Model.Descriptors} descriptors are open");
        client.Mount();
        if (_place.Model.Descriptors != 0)
            throw new FuzzFindException($"{_place.Model.Descriptors} descriptors stay open");
        if (!_place.IsOuterUntouched)
            throw new FuzzFindException("something outside the share has changed");
        return signature.Value;
    }

    public void Dispose() => _place.Dispose();

    private static byte[] Step(byte[] message) => [0, (byte)message.Length, (byte)(message.Length >> 8), .. message];

    private ulong Send(byte[] message)
    {
        int length = _place.Model.Answer(message, _answer);
        if (length < NinePFormat.Header || length != BinaryPrimitives.ReadInt32LittleEndian(_answer))
            throw new FuzzFindException($"an answer of {length} bytes says something else");
        uint error = _answer[4] == (byte)NinePMessage.ErrorAnswer ? BinaryPrimitives.ReadUInt32LittleEndian(_answer.AsSpan(NinePFormat.Header)) : 0;
        if (error == 0 && (message.Length < NinePFormat.Header || _answer[4] != message[4] + 1))
            throw new FuzzFindException($"an answer of kind {_answer[4]}");
        if (_answer.AsSpan(0, length).IndexOf("nobody's business"u8) >= 0)
            throw new FuzzFindException("the guest has read what is outside the share");
        return Signature.Bit(message.Length < NinePFormat.Header ? 0u : message[4], error);
    }
}
