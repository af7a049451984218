/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net.h"
#include "device.h"
#include "hcall.h"
#include "mm.h"
#include "string.h"

bool net_open(struct net *n, u32 nth, u8 (*frames)[2048])
{
	int i = device_find(DEVICE_NET, nth);

	if (i < 0)
		return false;
	memset(n, 0, sizeof(*n));
	n->key = devices[i].pfn * PAGE_SIZE;
	n->irq = i + 1;
	n->features = devices[i].features;
	n->me = devices[i].features & NET_SLOT_MASK;
	n->peer = map_pages(n->key, devices[i].num_pages);
	n->frames = frames;
	/* The address Linux's driver makes of the guest's number. */
	n->mac[0] = 0x02;
	n->mac[2] = lguest_data.guestid & 0xFF;
	n->mac[3] = lguest_data.guestid >> 8;
	devices[i].status |= STATUS_DRIVER | STATUS_DRIVER_OK;
	return true;
}

/* No section may cross a page. */
static void fill_sections(struct lguest_dma *dma, const void *buf, u32 bytes)
{
	u32 n = 0, p = phys(buf);

	while (bytes) {
		u32 chunk = PAGE_SIZE - p % PAGE_SIZE;

		if (chunk > bytes)
			chunk = bytes;
		dma->addr[n] = p;
		dma->len[n++] = chunk;
		p += chunk;
		bytes -= chunk;
	}
	dma->len[n] = 0;
}

bool net_up(struct net *n, u32 bytes)
{
	u32 i;

	for (i = 0; i < 6; i++)
		n->peer[n->me][i] = n->mac[i];
	for (i = 0; i < NET_RING; i++) {
		fill_sections(&n->ring[i], n->frames[i], bytes);
		n->ring[i].used_len = 0;
	}
	return hcall(LHCALL_BIND_DMA, n->key + 4 * n->me, phys(n->ring),
		     NET_RING << 8 | n->irq);
}

void net_down(struct net *n)
{
	u32 i;

	for (i = 0; i < 6; i++)
		n->peer[n->me][i] = 0;
	hcall(LHCALL_BIND_DMA, n->key + 4 * n->me, phys(n->ring),
	      NET_RING << 8);
}

u32 net_send_to(struct net *n, u32 slot, const void *frame, u32 bytes)
{
	static struct lguest_dma dma;

	fill_sections(&dma, frame, bytes);
	dma.used_len = 0;
	hcall(LHCALL_SEND_DMA, n->key + 4 * slot, phys(&dma), 0);
	return READ_ONCE(dma.used_len);
}

static bool wants(struct net *n, u32 slot, const u8 *frame)
{
	volatile u8 *mac = n->peer[slot];
	u32 i;

	if (frame[0] & 1 || mac[0] & NET_PROMISC)
		return true;
	for (i = 0; i < 6; i++)
		if (mac[i] != frame[i])
			return false;
	return true;
}

u32 net_send(struct net *n, const void *frame, u32 bytes)
{
	u32 slot, reached = 0;

	for (slot = 0; slot < NET_SLOTS; slot++) {
		if (slot == n->me || !n->peer[slot][0] ||
		    !wants(n, slot, frame))
			continue;
		if (net_send_to(n, slot, frame, bytes) == bytes) {
			reached++;
			n->sent++;
		} else {
			n->lost++;
		}
	}
	return reached;
}

int net_poll(struct net *n, u32 *bytes)
{
	u32 i;

	for (i = 0; i < NET_RING; i++) {
		*bytes = READ_ONCE(n->ring[i].used_len);
		if (*bytes) {
			n->received++;
			return i;
		}
	}
	return -1;
}

void net_release(struct net *n, u32 index)
{
	barrier();
	WRITE_ONCE(n->ring[index].used_len, 0);
}
