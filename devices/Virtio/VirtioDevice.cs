// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Models;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Virtio;

namespace Lguest.Devices.Virtio;

/// <summary>Gets the guest's attention for a device. Each bus has its own way.</summary>
public interface IVirtioInterrupts
{
    /// <summary>The device has completed requests.</summary>
    /// <param name="queue">Of which queue.</param>
    void QueueUsed(int queue);

    /// <summary>The device has changed by itself: it needs a reset.</summary>
    void DeviceChanged();
}

/// <summary>
/// A device whose requests come through virtqueues, whatever bus it is on: it brings them to a <see cref="DeviceModel"/>. A bus tells it
/// what the driver has accepted, where its queues are, and when there is something in one. It never throws for what a guest does: a driver
/// that breaks a rule has its device put out of service until it resets it.
/// </summary>
public abstract class VirtioDevice
{
    private readonly Complaints _complaints;
    private readonly Virtqueue[] _queues;
    private readonly VirtqueueChain[] _requests;

    /// <summary>A device that has been reset.</summary>
    /// <param name="memory">The guest's memory.</param>
    /// <param name="format">What requests look like in the guest's generation.</param>
    /// <param name="queues">How many queues it has.</param>
    /// <param name="complaints">Who hears of drivers that break a rule.</param>
    protected VirtioDevice(GuestMemory memory, VirtioFormat format, int queues, Complaints? complaints)
    {
        Memory = memory;
        Format = format;
        _complaints = complaints ?? Complaints.Silent;
        _queues = new Virtqueue[queues];
        _requests = new VirtqueueChain[queues];
        for (int i = 0; i < queues; i++)
        {
            _queues[i] = new Virtqueue(memory);

            // Each queue has its own: while a request of one waits for the host, another queue may be served.
            _requests[i] = new VirtqueueChain();
        }
    }

    /// <summary>What it does.</summary>
    public abstract DeviceModel Model { get; }

    /// <summary>What it is.</summary>
    public abstract VirtioId Id { get; }

    /// <summary>Features that the driver may accept.</summary>
    public ulong OfferedFeatures => Format.Features | OwnFeatures;

    /// <summary>Features that the driver has accepted.</summary>
    public ulong Features { get; private set; }

    /// <summary>Its queues.</summary>
    public IReadOnlyList<Virtqueue> Queues => _queues;

    /// <summary>Bytes of its configuration.</summary>
    public virtual int ConfigurationLength => 0;

    /// <summary>What broke it; null while it works.</summary>
    public string? Fault { get; private set; }

    /// <summary>How it gets the guest's attention. The bus sets it.</summary>
    public IVirtioInterrupts? Interrupts { get; set; }

    /// <summary>The guest's memory.</summary>
    protected GuestMemory Memory { get; }

    /// <summary>What requests look like.</summary>
    protected VirtioFormat Format { get; }

    /// <summary>Features of this kind of device.</summary>
    protected virtual ulong OwnFeatures => 0;

    /// <summary>Takes note of what the driver has accepted, at once and finally.</summary>
    /// <returns>False when it accepts what was not offered, or leaves out what it must have: then nothing is changed.</returns>
    public bool Accept(ulong features)
    {
        const ulong required = VirtioFeatures.Version1;
        if ((features & ~OfferedFeatures) != 0 || (OfferedFeatures & required & ~features) != 0)
            return false;
        Features = features;
        return true;
    }

    /// <summary>The driver has set up a queue.</summary>
    public void StartQueue(int queue, in RingLayout layout)
    {
        try
        {
            _queues[queue].Start(layout);
            _queues[queue].AllowsIndirect = (Features & VirtioFeatures.Indirect) != 0;
            QueuesChanged();
        }
        catch (VirtqueueException wrong)
        {
            Break(wrong.Message);
        }
    }

    /// <summary>There is something in a queue, says the driver.</summary>
    public void Notify(int queue)
    {
        if (Fault != null || (uint)queue >= (uint)_queues.Length)
            return;
        Attend(queue);
    }

    /// <summary>The driver resets the device: all is forgotten but what belongs to the host.</summary>
    public void Reset()
    {
        foreach (Virtqueue queue in _queues)
            queue.Reset();
        Features = 0;
        Fault = null;
        QueuesChanged();
    }

    /// <summary>The device's configuration, as the driver reads it.</summary>
    /// <param name="target"><see cref="ConfigurationLength"/> bytes, all zero.</param>
    public virtual void ReadConfiguration(Span<byte> target)
    {
    }

    /// <summary>The driver writes to the configuration.</summary>
    /// <param name="offset">Bytes from its start.</param>
    /// <param name="value">What.</param>
    /// <param name="width">1, 2 or 4 bytes of it.</param>
    public virtual void WriteConfiguration(int offset, uint value, int width)
    {
    }

    /// <summary>A queue has been set up, or all have gone: for devices to which that says whether their driver is there.</summary>
    protected virtual void QueuesChanged()
    {
    }

    /// <summary>Whether the device has an answer to the next request in a queue; else the request waits.</summary>
    protected virtual bool HasAnswer(int queue) => true;

    /// <summary>Does what is asked.</summary>
    /// <param name="queue">Where.</param>
    /// <param name="request">What.</param>
    /// <returns>Bytes written to the guest.</returns>
    protected abstract uint Answer(int queue, VirtqueueChain request);

    /// <summary>Serves what is in a queue.</summary>
    /// <returns>Whether any request was completed.</returns>
    protected virtual bool Serve(int queue)
    {
        bool any = false;
        VirtqueueChain request = _requests[queue];
        while (HasAnswer(queue) && _queues[queue].TryTake(request))
        {
            _queues[queue].Complete(request, Answer(queue, request));
            any = true;
        }

        return any;
    }

    /// <summary>Serves a queue, whatever the driver has put there, and interrupts the guest if it wants that.</summary>
    /// <returns>Whether any request was completed.</returns>
    protected bool Attend(int queue)
    {
        try
        {
            bool completed = Serve(queue);
            if (completed && _queues[queue].WantsInterrupt())
                Interrupts?.QueueUsed(queue);
            return completed;
        }
        catch (VirtqueueException wrong)
        {
            Break(wrong.Message);
        }
        catch (GuestAddressException wrong)
        {
            Break(wrong.Message);
        }

        return false;
    }

    /// <summary>The driver has broken a rule: the device is out of service until it is reset.</summary>
    internal void Break(string why)
    {
        Fault = why;
        _complaints.Once("virtio " + Model.Description, $"{Model.Description}: {why}; the device does nothing more until it is reset");
        Interrupts?.DeviceChanged();
    }
}
