/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The block device from the guest's side.  Wants --block=FILE, a scratch disk
 * of 1 MiB or so whose contents do not matter.
 */
#include "check.h"
#include "clock.h"
#include "device.h"
#include "mm.h"
#include "traps.h"

/* The genuine launcher opens the file O_DIRECT: mind the alignment. */
static u8 out[65536] page_aligned, in[65536] page_aligned;
static struct block disk;
static u32 order[4], ordered;

static void note_order(struct trap_frame *f)
{
	if (ordered < ARRAY_SIZE(order))
		order[ordered++] = f->vector - FIRST_IRQ_VECTOR;
}

static void pattern(u8 *buf, u32 bytes, u32 seed)
{
	u32 i;

	for (i = 0; i < bytes; i += 4) {
		seed = seed * 1664525 + 1013904223;
		*(u32 *)(buf + i) = seed;
	}
}

/* Let pending interrupts in. */
static void drain(void)
{
	u32 i;

	/* Each visit to the host is an occasion. */
	irqs_on();
	for (i = 0; i < 10; i++)
		hcall(LHCALL_FLUSH_ASYNC, 0, 0, 0);
	irqs_off();
}

static void round_trip(const char *name, u32 sector, u32 bytes)
{
	pattern(out, bytes, sector + bytes);
	memset(in, 0, bytes);
	if (block_transfer(&disk, true, sector, out, bytes) != 1)
		check_fail(name, "write: result %d", disk.page->result);
	else if (block_transfer(&disk, false, sector, in, bytes) != 1)
		check_fail(name, "read: result %d", disk.page->result);
	else if (disk.reply.used_len != bytes)
		check_fail(name, "read: used_len %u", disk.reply.used_len);
	else
		check(!memcmp(in, out, bytes), name);
}

static void check_requests(void)
{
	u32 n = disk.page->num_sectors, before;

	round_trip("the first sector", 0, 512);
	round_trip("the last sector", n - 1, 512);
	round_trip("a page", 8, 4096);
	round_trip("sixteen pages", 16, 65536);
	round_trip("sectors not at a page's start", 3, 1536);

	pattern(out, 512, 1);
	pattern(out + 512, 512, 2);
	block_transfer(&disk, true, 100, out, 512);
	block_transfer(&disk, true, 101, out + 512, 512);
	block_transfer(&disk, false, 100, in, 1024);
	check(!memcmp(in, out, 1024), "neighbours stay apart");
	check_eq("a write uses nothing of the reply",
		 (block_transfer(&disk, true, 100, out, 512),
		  disk.reply.used_len), 0);

	drain();
	before = irq_count[disk.irq];
	block_transfer(&disk, false, 0, in, 512);
	drain();
	check_eq("one interrupt for a request", irq_count[disk.irq],
		 before + 1);
	check_eq("num_sectors stays", disk.page->num_sectors, n);
}

/* A reply shorter than the request says: short read, error. */
static void check_short(void)
{
	u32 n = disk.page->num_sectors;
	static struct lguest_dma reply, send;

	reply.addr[0] = phys(in);
	reply.len[0] = 512;
	reply.len[1] = 0;
	disk.page->type = 0;
	disk.page->sector = 0;
	disk.page->bytes = 1024;
	disk.page->result = 0;
	irqs_off();
	hcall(LHCALL_BIND_DMA, disk.key, phys(&reply), 1 << 8 | disk.irq);
	hcall(LHCALL_SEND_DMA, disk.key, phys(&send), 0);
	while (!READ_ONCE(disk.page->result)) {
		hcall(LHCALL_HALT, 0, 0, 0);
		irqs_off();
	}
	hcall(LHCALL_BIND_DMA, disk.key, phys(&reply), 1 << 8);
	check_eq("more bytes than the reply holds", disk.page->result, 2);
	check_eq("  what it held was read", reply.used_len, 512);

	check_eq("a read over the end", block_transfer(&disk, false, n - 1, in,
						       1024), 2);
	check_eq("  reads what there is", disk.reply.used_len, 512);
	check_eq("a read of nothing", block_transfer(&disk, false, 0, in, 0),
		 1);
	check_eq("a write of nothing", block_transfer(&disk, true, 0, out, 0),
		 1);
	if (genuine()) {
		check_skip("beyond the end, odd lengths",
			   "the genuine launcher gives up");
		return;
	}
	check_eq("a read beyond the end", block_transfer(&disk, false, n, in,
							 512), 2);
	check_eq("  reads nothing", disk.reply.used_len, 0);
	check_eq("a read far beyond the end",
		 block_transfer(&disk, false, 0xFFFFFFFF, in, 512), 2);
	check_eq("a write beyond the end", block_transfer(&disk, true, n, out,
							  512), 2);
	check_eq("a write over the end", block_transfer(&disk, true, n - 1,
							out, 1024), 2);
	check_eq("the disk has not grown", disk.page->num_sectors, n);
	/* A device may insist on whole sectors, but must not do half a job. */
	memset(in, 0xAA, 1024);
	if (block_transfer(&disk, false, 0, in, 100) == 1)
		check(disk.reply.used_len == 100 && in[100] == 0xAA,
		      "a read of an odd length ends there");
	else
		check_eq("a read of an odd length is refused", in[0], 0xAA);
	memset(out, 0x55, 512);
	block_transfer(&disk, true, 7, out, 512);
	memset(out, 0x66, 512);
	if (block_transfer(&disk, true, 7, out, 3) == 1) {
		block_transfer(&disk, false, 7, in, 512);
		check(in[0] == 0x66 && in[2] == 0x66 && in[3] == 0x55,
		      "a write of an odd length ends there");
	} else {
		block_transfer(&disk, false, 7, in, 512);
		check_eq("a write of an odd length is refused", in[0], 0x55);
	}
}

/* Data scattered over memory, in an order of its own. */
static void check_scatter(void)
{
	static struct lguest_dma reply, send;
	u32 i, bad = 0;

	pattern(out, 8 * 512, 99);
	block_transfer(&disk, true, 200, out, 8 * 512);
	for (i = 0; i < 8; i++) {
		reply.addr[i] = phys(in) + (7 - i) * 8192 + 1024;
		reply.len[i] = 512;
	}
	disk.page->type = 0;
	disk.page->sector = 200;
	disk.page->bytes = 8 * 512;
	disk.page->result = 0;
	/* An interrupt of our own choice: the binding says which. */
	irqs_off();
	irq_count[17] = 0;
	hcall(LHCALL_BIND_DMA, disk.key, phys(&reply), 1 << 8 | 17);
	hcall(LHCALL_SEND_DMA, disk.key, phys(&send), 0);
	while (!READ_ONCE(disk.page->result)) {
		hcall(LHCALL_HALT, 0, 0, 0);
		irqs_off();
	}
	drain();
	hcall(LHCALL_BIND_DMA, disk.key, phys(&reply), 1 << 8);
	for (i = 0; i < 8; i++)
		bad += memcmp(in + (7 - i) * 8192 + 1024, out + i * 512,
			      512) != 0;
	check_eq("scattered reply", bad, 0);
	check_eq("the interrupt of the binding", irq_count[17], 1);
}

/*
 * Bind, send, unbind, all queued: works only if the host lets the launcher
 * serve the send before it goes on with the ring.
 */
static void check_ring(void)
{
	static struct lguest_dma reply, send;

	pattern(out, 512, 5);
	block_transfer(&disk, true, 50, out, 512);
	memset(in, 0, 512);
	reply.addr[0] = phys(in);
	reply.len[0] = 512;
	disk.page->type = 0;
	disk.page->sector = 50;
	disk.page->bytes = 512;
	disk.page->result = 0;
	hcall_async(LHCALL_BIND_DMA, disk.key, phys(&reply), 1 << 8 | disk.irq);
	hcall_async(LHCALL_SEND_DMA, disk.key, phys(&send), 0);
	hcall_async(LHCALL_BIND_DMA, disk.key, phys(&reply), 1 << 8);
	hcall(LHCALL_FLUSH_ASYNC, 0, 0, 0);
	check_eq("the ring stops at SEND_DMA", disk.page->result, 1);
	check(!memcmp(in, out, 512), "  data");
}

/* Of two pending interrupts the lower one goes first. */
static void check_order(void)
{
	irqs_off();
	drain();
	block_transfer(&disk, false, 0, in, 512);
	/* A request served at once leaves its interrupt pending; one for
	 * which we slept has consumed it. */
	irqs_off();
	ordered = 0;
	irq_set_handler(0, note_order);
	irq_set_handler(disk.irq, note_order);
	disk.page->result = 0;
	disk.page->bytes = 512;
	memset(&disk.reply, 0, sizeof(disk.reply));
	disk.reply.addr[0] = phys(in);
	disk.reply.len[0] = 512;
	hcall(LHCALL_BIND_DMA, disk.key, phys(&disk.reply),
	      1 << 8 | disk.irq);
	drain();
	ordered = 0;
	{
		static struct lguest_dma send;

		hcall(LHCALL_SEND_DMA, disk.key, phys(&send), 0);
	}
	while (!READ_ONCE(disk.page->result))
		spin_ms(1);
	clock_arm_us(1000);
	spin_ms(20);
	drain();
	hcall(LHCALL_BIND_DMA, disk.key, phys(&disk.reply), 1 << 8);
	check_eq("two interrupts were pending", ordered, 2);
	check(order[0] == 0 && order[1] == disk.irq,
	      "the clock comes before the disk");
}

void guest_main(void)
{
	int i = device_find(DEVICE_BLOCK, 0);

	clock_init();
	if (!check(block_open(&disk, 0), "there is a disk"))
		check_finish();
	check_eq("features", devices[i].features, 0x8000);
	check_eq("one page", devices[i].num_pages, 1);
	printf("%u sectors, irq %u\n", disk.page->num_sectors, disk.irq);
	check(disk.page->num_sectors >= 256, "it is large enough");
	check_requests();
	check_short();
	check_scatter();
	check_ring();
	check_order();
	check_finish();
}
