/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest of the releases with virtio on the lguest bus: entered at a physical
 * address without page tables, and it makes none of its own.  Built for three of
 * them, which call and find their devices in three ways (bus.h).
 */
#include "bus.h"
#include "string.h"

/* What a launcher recognises a kernel by. */
static const char banner[] __attribute__((used)) = "Linux version " RELEASE " (a guest of lguest's own)\n";
static const char guest_sign[] __attribute__((used)) = "LGUEST";

asm(".section .head, \"ax\"\n"
    ".globl guest_entry\n"
    "guest_entry:\n"
    "	movl	$stack_top, %esp\n"
    "	call	guest_main\n"
    "0:	jmp	0b\n"
    ".macro stub n\n"
    "	pushl	$\\n\n"
    "	jmp	common\n"
    "	.balign	16\n"
    ".endm\n"
    "	.balign	16\n"
    ".globl stubs\n"
    "stubs:\n"
    ".altmacro\n"
    ".set	i, 0\n"
    ".rept	16\n"
    "	stub	%i\n"
    ".set	i, i + 1\n"
    ".endr\n"
    "common:\n"
    "	pushal\n"
    "	pushl	32(%esp)\n"
    "	call	on_irq\n"
    "	addl	$4, %esp\n"
    "	popal\n"
    "	addl	$4, %esp\n"
    "	iretl\n"
    ".bss\n"
    ".skip	16384\n"
    "stack_top:\n"
    ".text\n");

/* The length of the only entry of the memory map that such guests read. */
#define E820_LENGTH (0x2D0 + 8)

extern const u8 stubs[];
static u8 data[DATA_SIZE] __attribute__((aligned(16)));
static volatile u32 irqs[16];
static u32 passed, failed;
static bool has_ring;
static char line[256];
static u32 line_length;

#define DATA(at) (*(volatile u32 *)&data[at])
#define IRQ_ENABLED DATA(0)
#define BLOCKED DATA(4)
#define SECONDS DATA(12)
#define IRQ_PENDING DATA(20)

void on_irq(u32 n);
void guest_main(void);

void on_irq(u32 n)
{
	irqs[n]++;
	/* The gate has turned them off; IRET of ring 1 does not turn them on. */
	IRQ_ENABLED = 0x200;
}

static void flush(void)
{
	struct device *d = device_of(CONSOLE);

	line[line_length] = 0;
	if (has_ring) {
		struct piece piece = { (u32)line, 0, line_length, 0, 0 };

		offer(&d->queue[1], &piece, 1);
		kick(&d->queue[1]);
	} else {
		hcall(NOTIFY, (u32)line, 0, 0);
	}
	line_length = 0;
}

static void put(const char *text)
{
	while (*text)
		line[line_length++] = *text++;
}

static void put_number(u32 n)
{
	char digits[12];
	int i = 11;

	digits[i] = 0;
	do
		digits[--i] = '0' + n % 10;
	while (n /= 10);
	put(digits + i);
}

static void check(bool good, const char *what)
{
	if (good) {
		passed++;
		return;
	}
	failed++;
	put("FAILED: ");
	put(what);
	put("\n");
	flush();
}

static void check_start(void)
{
	u32 cs, i, here;

	asm volatile("movl %%cs, %0" : "=r"(cs));
	asm volatile("call 0f\n0: popl %0" : "=r"(here));
	check(cs == 0x61, "code segment of ring 1");
	check(here >= 0x100000 && here < 0x200000, "a physical address");
	for (i = 0; i < 64; i++)
		data[AT_STATUS + i] = 0xFF;
	DATA(4) = 1;
	DATA(AT_KERNEL) = 0xC0000000;
	DATA(AT_KERNEL + 4) = 0x80;
	hcall(LGUEST_INIT, (u32)data, 0, 0);
	check(DATA(AT_RESERVE) == 4 << 20, "reserve_mem");
	check(DATA(AT_TSC) != 0, "tsc_khz");
	check(SECONDS > 1170000000, "time");
#ifdef AT_PGDIR
	check(DATA(AT_PGDIR) % 4096 == 0 && DATA(AT_PGDIR), "pgdir");
	check(*(volatile u32 *)((u32)banner + 0xC0000000) == *(u32 *)banner,
	      "the kernel's address");
#endif
	for (i = 0; i < 16; i++) {
		u32 handler = (u32)stubs + 16 * i;

		hcall(LOAD_IDT_ENTRY, 0x20 + i, 0x610000 | (handler & 0xFFFF),
		      (handler & 0xFFFF0000) | 0x8E00);
	}
}

static void check_devices(void)
{
	u32 place = E820_LENGTH, ram;
	int i, j, irq = 1, count = 0;
	u32 ring;

	/* gcc knows better than to read so low an address. */
	asm("" : "+r"(place));
	ram = *(u32 *)place;
	ring = ram + 4096;
	count = find_devices(ram);
	check(count >= 1 && devices[count - 1].type == CONSOLE,
	      "the console is the last device");
	for (i = 0; i < count; i++) {
		for (j = 0; j < devices[i].queues; j++) {
			struct queue *q = &devices[i].queue[j];

			check(q->entries == 256 && q->irq == irq++,
			      "entries and irqs of queues");
			check(q->base == ring, "places of rings");
			ring += 3 * 4096;
		}
		set_status(&devices[i], 0);
		set_status(&devices[i], 1);
	}
	check(!device_of(BLOCK) || device_of(BLOCK) == &devices[0],
	      "disks come first");
	set_status(device_of(CONSOLE), 3);
	has_ring = true;
	put("Hello from " RELEASE ", by its ring\n");
	flush();
	/* Its driver waits for that in a loop. */
	check(used_index(&device_of(CONSOLE)->queue[1]) == 1,
	      "output is over when the guest goes on");
	set_status(device_of(CONSOLE), 7);
}

static void check_irqs(void)
{
	struct queue *q = &device_of(CONSOLE)->queue[1];
	u32 before;

	want_irqs(q, true);
	BLOCKED = 0;
	IRQ_ENABLED = 0;
	irqs[q->irq] = 0;
	flush();
	hcall(FLUSH_ASYNC, 0, 0, 0);
	check(irqs[q->irq] == 0, "no interrupt while they are off");
	if (HAS_PENDING)
		check(IRQ_PENDING == 0x200, "irq_pending");
	IRQ_ENABLED = 0x200;
	hcall(HAS_PENDING ? SEND_INTERRUPTS : FLUSH_ASYNC, 0, 0, 0);
	check(irqs[q->irq] == 1, "an interrupt of the queue");
	if (HAS_PENDING)
		check(IRQ_PENDING == 0, "irq_pending is taken back");
	want_irqs(q, false);
	flush();
	hcall(FLUSH_ASYNC, 0, 0, 0);
	check(irqs[q->irq] == 1, "no interrupt that nobody wants");
	BLOCKED = 1u << q->irq;
	want_irqs(q, true);
	flush();
	hcall(FLUSH_ASYNC, 0, 0, 0);
	check(irqs[q->irq] == 1, "no interrupt that is blocked");
	BLOCKED = 0;
	hcall(FLUSH_ASYNC, 0, 0, 0);
	check(irqs[q->irq] == 2, "an interrupt that was blocked");
	want_irqs(q, false);

	before = irqs[0];
	hcall(SET_CLOCKEVENT, 2000000, 0, 0);
	IRQ_ENABLED = 0;
	hcall(HALT, 0, 0, 0);
	check(irqs[0] == before + 1 && IRQ_ENABLED == 0x200,
	      "the clock wakes it up");
}

static bool transfer(struct device *d, u32 type, u32 sector, void *bytes,
		     u32 length)
{
	static u32 header[6];
	static volatile u8 status;
	u16 before = used_index(&d->queue[0]);
	struct piece pieces[3] = {
		{ (u32)header, 0, TYPED ? 24 : 16, 0, 0 },
		{ (u32)bytes, 0, length, type == 0 ? WRITE : 0, 0 },
		{ (u32)&status, 0, 1, WRITE, 0 },
	};

	header[0] = type;
	header[2] = sector;
	status = 0xEE;
	offer(&d->queue[0], pieces, 3);
	kick(&d->queue[0]);
	return used_index(&d->queue[0]) == (u16)(before + 1) && status == 0
		&& used_length(&d->queue[0], before) == (type == 0 ? length + 1 : 1);
}

static void check_disk(void)
{
	static u8 sector[1024], copy[1024];
	struct device *d = device_of(BLOCK);

	if (!d)
		return;
	check(*(volatile u32 *)d->config == 128, "sectors");
	/* As drivers do: it looks for partitions before it is ready. */
	set_status(d, 3);
	check(transfer(d, 0, 0, copy, 512), "a disk is read");
	set_status(d, 7);
	memset(sector, 0xA5, sizeof(sector));
	check(transfer(d, 1, 3, sector, 1024), "a disk is written");
	check(transfer(d, 0, 3, copy, 1024) && !memcmp(sector, copy, 1024),
	      "and read again");
	check(!transfer(d, 1, 127, sector, 1024), "it ends where it ends");
}

static void check_entropy(void)
{
	static u8 bytes[64];
	static struct piece table[2];
	struct device *d = device_of(ENTROPY);
	struct piece plain = { (u32)bytes, 0, 32, WRITE, 0 };
	struct piece indirect = { (u32)table, 0, sizeof(table), INDIRECT, 0 };
	struct queue *q;
	u32 i;

	check((d != 0) == !TYPED, "entropy is for those that have a driver");
	if (!d)
		return;
	q = &d->queue[0];
	check(d->offered >> 28 & 1, "tables are offered");
	*(volatile u32 *)d->accepted = 1u << 28;
	set_status(d, 3);
	offer(q, &plain, 1);
	kick(q);
	check(used_index(q) == 1 && used_length(q, 0) == 32, "random bytes");
	check(memcmp(bytes, bytes + 32, 32) != 0, "are random");
	table[0] = (struct piece){ (u32)bytes, 0, 16, WRITE | NEXT, 1 };
	table[1] = (struct piece){ (u32)bytes + 32, 0, 32, WRITE, 0 };
	offer(q, &indirect, 1);
	kick(q);
	check(used_index(q) == 2 && used_length(q, 1) == 48, "by a table");

	/* No driver does this: the device is out of service until its reset. */
	offer_head(q, 1000);
	kick(q);
	offer(q, &plain, 1);
	kick(q);
	check(used_index(q) == 2, "a broken queue is not served");
	set_status(d, 0);
	for (i = 0; i < 3 * 4096 && !*(u8 *)(q->base + i); i++)
		;
	check(i == 3 * 4096, "a reset clears the ring");
	check(*(volatile u32 *)d->accepted == 0, "and what was accepted");
	q->offered = q->next = 0;
	offer(q, &plain, 1);
	kick(q);
	check(used_index(q) == 1, "and the device works again");
}

void guest_main(void)
{
	check_start();
	put("Hello from " RELEASE "\n");
	flush();
	check_devices();
	check_irqs();
	check_disk();
	check_entropy();
	put_number(passed);
	put(" passed, ");
	put_number(failed);
	put(" failed\n");
	flush();
	hcall(SHUTDOWN, (u32)"Power down", 1, 0);
}
