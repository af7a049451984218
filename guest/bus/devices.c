/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bus as its drivers see it: descriptors are read, rings are filled. */
#include "bus.h"

struct device devices[DEVICES];

static u8 byte_at(u32 address)
{
	return *(volatile u8 *)address;
}

static void add_queue(struct device *d, u32 at)
{
	struct queue *q = &d->queue[d->queues++];

	q->entries = *(u16 *)at;
	q->irq = *(u16 *)(at + 2);
	q->base = *(u32 *)(at + 4) << 12;
}

static u32 read_typed(struct device *d, u32 at)
{
	u32 field = at + 3, end = field + byte_at(at + 1);

	d->status = at + 2;
	for (; field < end; field += 2 + byte_at(field + 1)) {
		if (byte_at(field) == 2)
			add_queue(d, field + 2);
		else if (byte_at(field) == 0x41)
			d->config = field + 2;
	}
	return end;
}

static u32 read_untyped(struct device *d, u32 at)
{
	int i, queues = byte_at(at + 1), features = byte_at(at + 2);
	u32 after = at + 5 + 8 * queues;

	d->status = at + 4;
	for (i = 0; i < queues; i++)
		add_queue(d, at + 5 + 8 * i);
	d->offered = features >= 4 ? *(u32 *)after : 0;
	d->accepted = after + features;
	d->config = after + 2 * features;
	return d->config + byte_at(at + 3);
}

int find_devices(u32 page)
{
	int count = 0;
	u32 at = page;

	while (count < DEVICES && byte_at(at)) {
		struct device *d = &devices[count++];

		d->at = at;
		d->type = byte_at(at);
		at = TYPED ? read_typed(d, at) : read_untyped(d, at);
	}
	return count;
}

struct device *device_of(u8 type)
{
	int i;

	for (i = 0; i < DEVICES; i++)
		if (devices[i].type == type)
			return &devices[i];
	return 0;
}

static u32 available(struct queue *q)
{
	return q->base + 16 * q->entries;
}

static u32 used(struct queue *q)
{
	return (available(q) + 4 + 2 * q->entries + 4095) & ~4095u;
}

void offer_head(struct queue *q, u16 head)
{
	volatile u16 *ring = (u16 *)available(q);

	ring[2 + q->offered % q->entries] = head;
	ring[1] = ++q->offered;
}

void offer(struct queue *q, const struct piece *pieces, int count)
{
	struct piece *table = (struct piece *)q->base;
	u16 head = q->next % q->entries;
	int i;

	for (i = 0; i < count; i++) {
		struct piece *p = &table[q->next++ % q->entries];

		*p = pieces[i];
		if (i + 1 < count) {
			p->flags |= NEXT;
			p->next = q->next % q->entries;
		}
	}
	offer_head(q, head);
}

u16 used_index(struct queue *q)
{
	return *(volatile u16 *)(used(q) + 2);
}

u32 used_length(struct queue *q, u16 index)
{
	return *(volatile u32 *)(used(q) + 8 + 8 * (index % q->entries));
}

void want_irqs(struct queue *q, bool wanted)
{
	*(volatile u16 *)available(q) = !wanted;
}

void kick(struct queue *q)
{
	hcall(NOTIFY, q->base, 0, 0);
}

void set_status(struct device *d, u8 status)
{
	*(volatile u8 *)d->status = status;
	/* 2.6.24 tells nobody. */
	if (!TYPED)
		hcall(NOTIFY, d->at, 0, 0);
}
