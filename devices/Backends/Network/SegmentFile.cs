// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using Lguest.Devices.Native;
using Lguest.GuestAbi;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace Lguest.Devices.Backends.Network;

/// <summary>
/// The file of <c>--sharenet</c>: one page, the same that all guests of the segment have mapped, with an Ethernet address per
/// slot. A slot belongs to whoever has the write lock of the byte of that number, as in the first launcher, whose files and
/// whose locks are good here and the other way round; the lock goes when its owner dies, however he dies. Nothing but the
/// addresses is in the file: packets travel elsewhere (<see cref="SegmentPorts"/>), so that there is nothing else in it to spoil.
/// </summary>
public sealed unsafe class SegmentFile : IDisposable
{
    /// <summary>The byte whose lock is held, for a moment, by whoever looks for a slot. It is behind the page.</summary>
    private const long EntranceByte = Page.Size;

    /// <summary>From here on, past the page, a byte for each number that a guest may have: its lock is the number's owner.</summary>
    private const long NumberBytes = 2 * Page.Size;

    private int _fd;

    private SegmentFile(string path, int fd)
    {
        Path = path;
        _fd = fd;
    }

    /// <summary>The file's name, as the user wrote it.</summary>
    public string Path { get; }

    /// <summary>The opened file.</summary>
    public int Descriptor => _fd;

    /// <summary>A name that leads to it whatever became of its own.</summary>
    public string Self => string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{_fd}");

    /// <summary>Our slot; −1 when we only look.</summary>
    public int Slot { get; private set; } = -1;

    /// <summary>Opens a file, made if need be, and takes a slot.</summary>
    /// <param name="path">The file.</param>
    /// <param name="freeSlot">The byte of which a free slot consists: 0, or 0xFF in 2007-02.</param>
    /// <exception cref="DeviceException">The file cannot be used, or it is full.</exception>
    public static SegmentFile Join(string path, byte freeSlot)
    {
        SegmentFile file = new(path, OpenFile(path, create: true));
        try
        {
            file.Exclusively(() =>
            {
                file.CheckSize(justOpened: true);
                file.TakeSlot(freeSlot);
            });
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Opens a file to look at.</summary>
    /// <exception cref="DeviceException">It is not there, or not a network's.</exception>
    public static SegmentFile Look(string path)
    {
        SegmentFile file = new(path, OpenFile(path, create: false));
        try
        {
            file.CheckSize(justOpened: false);
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>The file itself, whatever name led to it: device and inode.</summary>
    public (ulong Device, ulong Inode) Identity => FileStatus.TryGet(_fd, out FileStatus status) ? status.Identity : default;

    /// <summary>
    /// Takes the number of which a guest's driver makes its address, for as long as the file is open. Launchers of this project
    /// lock it; a guest of another launcher shows it by the address it has published.
    /// </summary>
    /// <returns>False when somebody else has it.</returns>
    public bool TryTakeNumber(ushort guestId)
    {
        const ulong promiscuous = (ulong)MacAddress.PromiscuousBit << 40;
        for (int slot = 0; slot < NetPage.Slots; slot++)
        {
            if ((ReadAddress(slot).Value & ~promiscuous) == MacAddress.OfGuest(guestId).Value && IsTaken(slot, out _))
                return false;
        }

        // A file system without locks was refused when the slot was taken.
        return FileLock.TryLockByte(_fd, NumberBytes + guestId) == 0;
    }

    /// <summary>Gives a number back.</summary>
    public void GiveBackNumber(ushort guestId) => FileLock.UnlockByte(_fd, NumberBytes + guestId);

    /// <summary>Does something while nobody else comes or goes.</summary>
    /// <exception cref="DeviceException">Somebody keeps the entrance blocked.</exception>
    public void Exclusively(Action action)
    {
        // Polled and not waited for: a peer that never lets go must not hold us up for ever.
        const int Patience = 2000;
        const int Step = 5;
        for (int waited = 0; ; waited += Step)
        {
            int error = FileLock.TryLockByte(_fd, EntranceByte);
            if (error == 0)
                break;
            if (error != EAGAIN)
                throw new DeviceException($"cannot lock network file '{Path}': {HostMessage.Of((HostErrno)error)}; put it on a file system with locks");
            if (waited >= Patience)
                throw new DeviceException($"network file '{Path}': another process has kept its entrance locked for {Patience / 1000} seconds; lguest net {Path} shows who is there");
            Thread.Sleep(Step);
        }

        try
        {
            action();
        }
        finally
        {
            FileLock.UnlockByte(_fd, EntranceByte);
        }
    }

    /// <summary>The address in a slot now, promiscuous bit and all.</summary>
    public MacAddress ReadAddress(int slot)
    {
        Span<byte> bytes = stackalloc byte[MacAddress.Size];
        fixed (byte* start = bytes)
            _ = pread(_fd, start, MacAddress.Size, (long)slot * MacAddress.Size);
        return MacAddress.From(bytes);
    }

    /// <summary>The addresses of all slots now, as they are in the file.</summary>
    /// <param name="page">Gets them: 6 bytes for each slot.</param>
    /// <returns>False when the file has been cut short.</returns>
    public bool TryReadAddresses(Span<byte> page)
    {
        fixed (byte* start = page)
            return pread(_fd, start, page.Length, 0) == page.Length;
    }

    /// <summary>Writes an address into a slot.</summary>
    public void WriteAddress(int slot, MacAddress address)
    {
        Span<byte> bytes = stackalloc byte[MacAddress.Size];
        address.CopyTo(bytes);
        WriteSlot(slot, bytes);
    }

    /// <summary>Whether somebody else has a slot, and which process, if that can be known from the lock.</summary>
    public bool IsTaken(int slot, out int processId) => FileLock.IsByteLocked(_fd, slot, out processId);

    /// <summary>Whether nobody else has a slot. Good for as long as nobody comes: see <see cref="Exclusively"/>.</summary>
    public bool IsAlone
    {
        get
        {
            for (int slot = 0; slot < NetPage.Slots; slot++)
            {
                if (slot != Slot && IsTaken(slot, out _))
                    return false;
            }

            return true;
        }
    }

    /// <summary>Whether it still is as long as a network file is: anybody who may write it may cut it short.</summary>
    public bool IsWhole => FileStatus.TryGet(_fd, out FileStatus status) && status.Size >= Page.Size;

    /// <summary>Closes the file, and so gives our slot back.</summary>
    public void Dispose()
    {
        // Unlocked first: a child that is just being started has the descriptor for a moment, and the locks with it.
        if (_fd >= 0)
        {
            FileLock.UnlockAll(_fd);
            _ = close(_fd);
        }

        _fd = -1;
    }

    /// <summary>Writes an address of six equal bytes into a slot.</summary>
    public void ClearSlot(int slot, byte value)
    {
        Span<byte> bytes = stackalloc byte[MacAddress.Size];
        bytes.Fill(value);
        WriteSlot(slot, bytes);
    }

    private void WriteSlot(int slot, ReadOnlySpan<byte> bytes)
    {
        // Writing into a file that was cut short would make another length of it, which is no better.
        if (!IsWhole)
            return;
        fixed (byte* start = bytes)
            _ = pwrite(_fd, start, MacAddress.Size, (long)slot * MacAddress.Size);
    }

    private static int OpenFile(string path, bool create)
    {
        if (path.Length == 0)
            throw new DeviceException("--sharenet needs the name of a file: --sharenet=FILE");

        // Looked at before it is opened: opening a FIFO or a device does things.
        if (FileStatus.TryGet(path, out FileStatus status) && !status.IsRegular)
            throw new DeviceException($"network file '{path}' is {(status.IsFolder ? "a directory" : "not an ordinary file")}; name a file, which is made if it is not there");

        int fd;
        fixed (byte* name = PathBytes.Of(path))
            fd = open(name, O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0), S_IRUSR | S_IWUSR);
        if (fd >= 0)
            return fd;
        HostErrno error = (HostErrno)errno;
        string remedy = error is HostErrno.EACCES or HostErrno.EPERM or HostErrno.EROFS ? "; guests write their addresses into it, so it must be writable for everybody who joins" : string.Empty;
        throw new DeviceException($"cannot open network file '{path}': {HostMessage.Of(error)}{remedy}");
    }

    private void CheckSize(bool justOpened)
    {
        long size = lseek(_fd, 0, SEEK_END);
        if (size == Page.Size)
            return;

        // Just made, by us or by somebody who has not got further; under the lock nobody else is in the middle of it.
        if (size == 0 && justOpened)
        {
            if (ftruncate(_fd, Page.Size) != 0)
                throw new DeviceException($"cannot make network file '{Path}' {Page.Size} bytes long: {HostMessage.Of((HostErrno)errno)}");
            return;
        }

        throw new DeviceException($"'{Path}' has {size} bytes: a network file has {Page.Size}, so this is not one; name another file, which is made if it is not there");
    }

    private void TakeSlot(byte freeSlot)
    {
        bool alone = true;
        for (int slot = 0; slot < NetPage.Slots; slot++)
        {
            int error = Slot < 0 ? FileLock.TryLockByte(_fd, slot) : 0;
            if (error == 0 && Slot < 0)
            {
                Slot = slot;
                continue;
            }

            if (error != 0 && error != EAGAIN)
                throw new DeviceException($"cannot lock network file '{Path}': {HostMessage.Of((HostErrno)error)}; put it on a file system with locks");
            if (error != 0 || FileLock.IsByteLocked(_fd, slot, out _))
            {
                alone = false;
                if (Slot >= 0)
                    break;
            }
        }

        if (Slot < 0)
            throw new DeviceException($"network file '{Path}' is full: all of its {NetPage.Slots} slots are taken; use a second file");

        CheckLooks();
        if (!alone)
        {
            CheckGeneration(freeSlot);
            ClearSlot(Slot, freeSlot);
            ClearLeftovers(freeSlot);
            return;
        }

        // First on the segment: whatever earlier guests left behind goes, and the page speaks our guest's generation.
        for (int slot = 0; slot < NetPage.Slots; slot++)
            ClearSlot(slot, freeSlot);
    }

    /// <summary>A slot holds a locally administered address of a guest, or nothing. A file of anything else is not ours.</summary>
    private void CheckLooks()
    {
        byte[] page = new byte[Page.Size];
        fixed (byte* start = page)
        {
            if (pread(_fd, start, Page.Size, 0) != Page.Size)
                throw new DeviceException($"cannot read network file '{Path}': {HostMessage.Of((HostErrno)errno)}");
        }

        for (int slot = 0; slot < NetPage.Slots; slot++)
        {
            MacAddress address = MacAddress.From(page.AsSpan(slot * MacAddress.Size));
            const int LocalBit = 0x02;
            if (IsFree(address) || (page[slot * MacAddress.Size] & LocalBit) != 0)
                continue;
            throw new DeviceException($"'{Path}' does not look like a network file: in slot {slot} is {address}, which is no guest's address; name another file, which is made if it is not there");
        }
    }

    /// <summary>
    /// Addresses whose launchers are dead, however they died: the first launcher never took its guest's away, so that the others
    /// went on sending to it. Each slot is ours while it is cleared; who looks for one just then takes the next.
    /// </summary>
    private void ClearLeftovers(byte freeSlot)
    {
        for (int slot = 0; slot < NetPage.Slots; slot++)
        {
            if (slot == Slot || IsFree(ReadAddress(slot)) || FileLock.TryLockByte(_fd, slot) != 0)
                continue;
            ClearSlot(slot, freeSlot);
            FileLock.UnlockByte(_fd, slot);
        }
    }

    private void CheckGeneration(byte freeSlot)
    {
        MacAddress last = ReadAddress(NetPage.Slots - 1);
        if (IsFree(last) && (byte)last.Value != freeSlot)
            throw new DeviceException($"network file '{Path}' is in use by guests of another generation, who mark free slots differently; give each generation its own file");
    }

    internal static bool IsFree(MacAddress address)
    {
        const ulong AllSet = 0xFFFF_FFFF_FFFF;
        return address.Value is 0 or AllSet;
    }
}
