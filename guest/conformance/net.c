/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rules of the network between guests, with two devices of one guest on the
 * same file: `--sharenet=FILE --sharenet=FILE`.  (The genuine launcher's locks
 * belong to the process, and would give both the same slot.)
 */
#include "check.h"
#include "clock.h"
#include "net.h"
#include "traps.h"

#define SHORT_BUFFER	60
#define PATIENCE_MS	2000

static u8 frames_a[NET_RING][2048] __attribute__((aligned(4096)));
static u8 frames_b[NET_RING][2048] __attribute__((aligned(4096)));
static u8 packet[4][2048] __attribute__((aligned(4096)));
static struct net a, b;

/* The next packet, waiting for it in HALT; -1 when none comes in time. */
static int wait_packet(struct net *n, u32 patience_ms, u32 *bytes)
{
	u32 i;
	int got;

	for (i = 0; i <= patience_ms / 5; i++) {
		irqs_off();
		got = net_poll(n, bytes);
		if (got >= 0) {
			irqs_on();
			return got;
		}
		clock_arm_us(5000);
		hcall(LHCALL_HALT, 0, 0, 0);
	}
	return -1;
}

static void fill(u8 *frame, u32 bytes, u8 seed)
{
	u32 i;

	for (i = 0; i < bytes; i++)
		frame[i] = seed + i * 7;
}

static bool same(const u8 *frame, u32 bytes, u8 seed)
{
	u32 i;

	for (i = 0; i < bytes; i++)
		if (frame[i] != (u8)(seed + i * 7))
			return false;
	return true;
}

static void check_page(void)
{
	u32 i, others = 0;

	check(a.features & NET_NOCSUM, "no checksums needed");
	check_eq("slots are handed out in order", b.me, a.me + 1);
	for (i = 0; i < NET_SLOTS; i++)
		others += a.peer[i][0] != 0;
	check_eq("a new page is empty", others, 0);
	a.peer[a.me][5] = 0x5A;
	check_eq("both devices see one page", b.peer[a.me][5], 0x5A);
	a.peer[a.me][5] = 0;
}

static void check_nobody(void)
{
	fill(packet[0], 100, 1);
	check_eq("to a peer with nothing bound", net_send_to(&a, b.me, packet[0], 100), 0);
	check_eq("to an empty slot", net_send_to(&a, b.me + 1, packet[0], 100), 0);
	check_eq("to the last slot", net_send_to(&a, NET_SLOTS - 1, packet[0], 100), 0);
	check_eq("to ourselves", net_send_to(&a, a.me, packet[0], 100), 0);
}

static void check_transfer(const char *name, u32 offset, u32 bytes)
{
	u8 *frame = (u8 *)packet + offset;
	u32 used, irqs = irq_count[b.irq];
	int got;

	fill(frame, bytes, bytes);
	check_eq(name, net_send_to(&a, b.me, frame, bytes), bytes);
	got = wait_packet(&b, PATIENCE_MS, &used);
	if (!check(got >= 0, "  it arrives"))
		return;
	check_eq("  whole", used, bytes);
	check(same(b.frames[got], bytes, bytes), "  and unchanged");
	check(irq_count[b.irq] != irqs, "  with an interrupt");
	net_release(&b, got);
}

static void check_burst(void)
{
	u32 i, used, sent = 0, seen = 0;
	int got;

	for (i = 0; i < 3 * NET_RING; i++) {
		fill(packet[0], 64 + i, i);
		sent += net_send_to(&a, b.me, packet[0], 64 + i) == 64 + i;
	}
	check_eq("three rings full in a row", sent, 3 * NET_RING);
	while (seen < sent && (got = wait_packet(&b, PATIENCE_MS, &used)) >= 0) {
		seen += same(b.frames[got], used, used - 64);
		net_release(&b, got);
	}
	check_eq("  arrive as there is room", seen, sent);
}

static void check_short_buffers(void)
{
	u32 used;
	int got;

	net_down(&b);
	net_up(&b, SHORT_BUFFER);
	fill(packet[0], 200, 9);
	check_eq("what arrives in a short buffer is what is counted",
		 net_send_to(&a, b.me, packet[0], 200), SHORT_BUFFER);
	got = wait_packet(&b, PATIENCE_MS, &used);
	if (check(got >= 0, "  it arrives"))
		check_eq("  cut", used, SHORT_BUFFER);
	net_down(&b);
	check_eq("nothing after it was unbound", net_send_to(&a, b.me, packet[0], 200), 0);
}

void guest_main(void)
{
	u32 used;

	if (genuine()) {
		check_skip("net", "two devices of one process would share a slot");
		check_finish();
	}
	irqs_on();
	if (!check(net_open(&a, 0, frames_a) && net_open(&b, 1, frames_b),
		   "two devices"))
		check_finish();
	check_page();
	check_nobody();
	check(net_up(&a, NET_FRAME), "bind the first");
	check_eq("a bound peer gets nothing by itself", wait_packet(&a, 20, &used), -1);
	check(net_up(&b, NET_FRAME), "bind the second");
	check_transfer("60 bytes", 0, 60);
	check_transfer("the longest frame", 0, NET_FRAME);
	check_transfer("one byte", 0, 1);
	check_transfer("across a page", 4096 - 700, 1400);
	check_eq("nothing at all", net_send_to(&a, b.me, packet[0], 0), 0);
	check_burst();
	check_short_buffers();
	check_finish();
}
