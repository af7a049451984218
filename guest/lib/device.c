/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "device.h"
#include "boot.h"
#include "hcall.h"
#include "mm.h"
#include "string.h"

volatile struct lguest_device_desc *devices;

/* [G:210+8] Looking for devices
 * The whole of what other systems call bus enumeration.
 */
void device_init(void)
{
	u32 i;

	devices = map_pages(ram_size(), 1);
	for (i = 0; i < MAX_DEVICES && devices[i].type; i++)
		devices[i].status |= STATUS_ACKNOWLEDGE;
}

int device_find(u32 type, u32 nth)
{
	u32 i;

	for (i = 0; i < MAX_DEVICES && devices[i].type; i++)
		if (devices[i].type == type && !nth--)
			return i;
	return -1;
}

bool block_open(struct block *b, u32 nth)
{
	int i = device_find(DEVICE_BLOCK, nth);

	if (i < 0)
		return false;
	memset(b, 0, sizeof(*b));
	b->key = devices[i].pfn * PAGE_SIZE;
	b->irq = i + 1;
	b->page = map_pages(b->key, devices[i].num_pages);
	devices[i].status |= STATUS_DRIVER | STATUS_DRIVER_OK;
	return true;
}

/* No section may cross a page. */
static void fill_sections(struct lguest_dma *dma, void *buf, u32 bytes)
{
	u32 n = 0, p = phys(buf);

	while (bytes && n < LGUEST_MAX_DMA_SECTIONS) {
		u32 chunk = PAGE_SIZE - p % PAGE_SIZE;

		if (chunk > bytes)
			chunk = bytes;
		dma->addr[n] = p;
		dma->len[n++] = chunk;
		p += chunk;
		bytes -= chunk;
	}
	if (n < LGUEST_MAX_DMA_SECTIONS)
		dma->len[n] = 0;
}

/* [G:220+37] A disk driver
 * A request is a page, a buffer for the answer and a call; everything Linux's
 * driver does beside this is queueing. Note the end: it sleeps with interrupts
 * off, and HALT is over as soon as one is pending, whatever the guest's flag
 * says. A test and a sleep between which the interrupt could slip in would now
 * and then sleep for ever.
 */
int block_transfer(struct block *b, bool write, u32 sector, void *buf,
		   u32 bytes)
{
	static struct lguest_dma send;
	bool on;

	/* As Linux's driver does it: bind the reply for this one request. */
	memset(&b->reply, 0, sizeof(b->reply));
	memset(&send, 0, sizeof(send));
	fill_sections(write ? &send : &b->reply, buf, bytes);
	b->page->type = write;
	b->page->sector = sector;
	b->page->bytes = bytes;
	b->page->result = 0;
	if (!hcall(LHCALL_BIND_DMA, b->key, phys(&b->reply), 1 << 8 | b->irq))
		return -1;
	/* The host may serve it at leisure; sleep until it says it is done.
	 * Interrupts are off while we look, lest its interrupt slip in before
	 * HALT; one that is pending ends HALT all the same. */
	on = irqs_off();
	hcall(LHCALL_SEND_DMA, b->key, phys(&send), 0);
	while (!READ_ONCE(b->page->result)) {
		hcall(LHCALL_HALT, 0, 0, 0);
		irqs_off();
	}
	if (on)
		irqs_on();
	hcall(LHCALL_BIND_DMA, b->key, phys(&b->reply), 1 << 8);
	return b->page->result;
}
