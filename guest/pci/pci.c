/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest of 4.1 to 4.13: virtio devices on PCI, by ports and by registers above
 * RAM, in every width and by every kind of instruction.  It never leaves linear
 * mode, so an address is a physical one, and takes no interrupts.
 *
 * It is recognised as any kernel of those releases is: by the banner and by the
 * name of its memory map.
 */
#include "types.h"

__attribute__((used)) static const char banner[] =
	"Linux version 4.9.0-conformance (nobody@nowhere)\n";
__attribute__((used)) static const char memory_map[] = "\0LGUEST";

#define LHCALL_LGUEST_INIT	1
#define LHCALL_SHUTDOWN		2
#define POWEROFF		1

/* struct lguest_data of 4.1: what is not here is the host's, or stays zero. */
static struct {
	u32 irq_enabled, blocked_interrupts;
	u32 between[342];
	u32 noirq_iret, kernel_address, syscall_vec;
} data __attribute__((aligned(64)));

asm(".section .text.start, \"ax\"\n"
    ".globl guest_start\n"
    "guest_start: movl $stack_top, %esp\n"
    "	call guest_main\n"
    "noirq_iret: iret\n"
    ".text\n"
    ".bss\n"
    "	.align 16\n"
    "	.skip 16384\n"
    "stack_top:\n"
    ".text\n");
extern const u8 noirq_iret[];

static void hcall(u32 number, u32 a, u32 b)
{
	asm volatile("int $0x1F" : "+a"(number) : "b"(a), "c"(b), "d"(0), "S"(0) : "memory");
}

#define PORT(suffix, type) \
	static inline type in##suffix(u16 port) \
	{ type v; asm volatile("in" #suffix " %1, %0" : "=a"(v) : "d"(port)); return v; } \
	static inline void out##suffix(type v, u16 port) \
	{ asm volatile("out" #suffix " %0, %1" : : "a"(v), "d"(port)); }
PORT(b, u8)
PORT(w, u16)
PORT(l, u32)

#define REG8(a)  (*(volatile u8 *)(a))
#define REG16(a) (*(volatile u16 *)(a))
#define REG32(a) (*(volatile u32 *)(a))

enum { CONSOLE = 1 };
static u32 console, passed, failed;

static u32 config(u32 slot, u32 at)
{
	outl(0x80000000 | slot << 11 | at, 0xCF8);
	return inl(0xCFC);
}

static void set_config(u32 slot, u32 at, u32 value)
{
	outl(0x80000000 | slot << 11 | at, 0xCF8);
	outl(value, 0xCFC);
}

/* An early console: the emergency character, here by its register. */
static void say(const char *text)
{
	while (*text)
		REG32(console + 60 + 8) = (u8)*text++;
}

static void say_hex(u32 value)
{
	char digits[9];
	int i;

	for (i = 7; i >= 0; i--, value >>= 4)
		digits[i] = "0123456789abcdef"[value & 15];
	digits[8] = 0;
	say(digits);
}

static void say_number(u32 value)
{
	char digits[11], *at = digits + 10;

	*at = 0;
	do
		*--at = '0' + value % 10;
	while (value /= 10);
	say(at);
}

static void check_eq(const char *what, u32 got, u32 wanted)
{
	if (got == wanted) {
		passed++;
		return;
	}
	failed++;
	say("FAILED: ");
	say(what);
	say(": ");
	say_hex(got);
	say(", not ");
	say_hex(wanted);
	say("\n");
}

static void check_ports(void)
{
	outb(1, 0xCFB);
	outl(0x80000000, 0xCF8);
	check_eq("the address comes back", inl(0xCF8), 0x80000000);
	check_eq("the host bridge's class", config(0, 8), 0x06000000);
	check_eq("its vendor", config(0, 0), 0);
	check_eq("a console in slot 1", config(1, 0), 0x10431AF4);
	check_eq("vendor, by words", inw(0xCFC), 0x1AF4);
	check_eq("device, by words", inw(0xCFE), 0x1043);
	check_eq("by bytes", inb(0xCFD) | inb(0xCFF) << 8, 0x101A);
	outb(0x3C, 0xCF8);
	check_eq("part of the address", inb(0xCFC), 1);
	outl(0x3C | 1 << 11, 0xCF8);
	check_eq("not enabled", inl(0xCFC), 0xFFFFFFFF);
	check_eq("an empty slot", config(31, 0), 0xFFFFFFFF);
	check_eq("another function", config(1, 0x100), 0xFFFFFFFF);
	check_eq("the ROM", config(1, 0x30), 0);
	check_eq("nobody's port", inb(0x300) | inw(0x302) << 8, 0xFFFFFF);

	/* Sizing: a page, and back where it was. */
	set_config(1, 0x10, 0xFFFFFFFF);
	check_eq("the size of the registers", config(1, 0x10), 0xFFFFF000);
	set_config(1, 0x10, console);
	check_eq("their place", config(1, 0x10), console);
}

/* Every access has its effect once, whatever the width and the instruction. */
static void check_widths(u32 regs)
{
	u32 v, w;
	u8 copy[4];

	REG8(regs + 20) = 0;
	REG8(regs + 20) = 1;
	asm volatile("orb $2, %0" : "+m"(REG8(regs + 20)));
	check_eq("status, read and written by one instruction", REG8(regs + 20), 3);
	REG16(regs + 22) = 1;
	check_eq("status, generation and queue at once", REG32(regs + 20), 0x10003);
	check_eq("queue, by bytes", REG8(regs + 22) | REG8(regs + 23) << 8, 1);
	check_eq("queue's size", REG16(regs + 24), 256);
	check_eq("across two registers", REG32(regs + 23), 0xFF010000);
	asm volatile("cmpw $256, %1; sete %b0; movzbl %b0, %0" : "=q"(v) : "m"(REG16(regs + 24)) : "cc");
	check_eq("compared", v, 1);
	asm volatile("pushl %1; popl %0" : "=r"(v) : "m"(REG32(regs + 20)));
	check_eq("pushed", v, 0x10003);
	v = 0;
	asm volatile("xchgl %0, %1" : "+r"(v), "+m"(REG32(regs + 8)));
	asm volatile("movl $1, %0; addl $1, %0" : "+m"(REG32(regs + 8)));
	check_eq("added to", REG32(regs + 8), 2);
	asm volatile("movsbl %1, %0" : "=r"(v) : "m"(REG8(regs + 25)));
	asm volatile("movzwl %1, %0" : "=r"(w) : "m"(REG16(regs + 26)));
	check_eq("extended", v << 16 | w, 0x1FFFF);
	asm volatile("cld; rep movsb" : "=S"(v), "=D"(w), "=c"(v) : "0"(regs + 20), "1"(copy), "2"(4) : "memory");
	check_eq("copied by bytes", copy[0] | copy[2] << 8 | copy[3] << 16, 0x103);
	REG8(regs + 20) = 0;
	check_eq("reset", REG8(regs + 20), 0);
	check_eq("the queue, reset", REG16(regs + 22), 0);
}

struct ring {
	struct { u32 low, high, length; u16 flags, next; } desc[8];
	struct { u16 flags, index, heads[8]; } avail;
	struct { u16 flags, index; struct { u32 head, written; } entries[8]; } used __attribute__((aligned(4)));
} __attribute__((aligned(16)));

static struct ring output, disk, entropy;
static u8 buffer[1024], sector[512];

/* A driver's way to a device: everything offered is accepted. */
static void start(u32 regs, u32 queue, volatile struct ring *ring)
{
	REG8(regs + 20) = 0;
	REG8(regs + 20) = 1;
	REG8(regs + 20) = 3;
	for (u32 half = 0; half < 2; half++) {
		REG32(regs) = half;
		REG32(regs + 8) = half;
		REG32(regs + 12) = REG32(regs + 4);
	}
	REG8(regs + 20) = 11;
	check_eq("features are taken", REG8(regs + 20), 11);
	REG16(regs + 22) = queue;
	REG16(regs + 24) = 8;
	REG32(regs + 32) = (u32)ring->desc;
	REG32(regs + 40) = (u32)&ring->avail;
	REG32(regs + 48) = (u32)&ring->used;
	REG16(regs + 28) = 1;
	REG8(regs + 20) = 15;
	check_eq("the device is up", REG8(regs + 20), 15);
}

static void piece(struct ring *ring, u32 i, void *at, u32 length, u32 flags)
{
	ring->desc[i].low = (u32)at;
	ring->desc[i].length = length;
	ring->desc[i].flags = flags;
	ring->desc[i].next = i + 1;
}

/* Offers the chain at the head of the table. Served before the access is over. */
static u32 ask(u32 regs, u32 queue, volatile struct ring *ring)
{
	u16 before = ring->used.index;

	ring->avail.heads[ring->avail.index % 8] = 0;
	ring->avail.index++;
	REG16(regs + 56) = queue;
	check_eq("answered at once", (u16)(ring->used.index - before), 1);
	return ring->used.entries[before % 8].written;
}

static void check_interrupt(u32 regs)
{
	check_eq("there was an interrupt", REG8(regs + 58), 1);
	check_eq("and reading forgets it", REG8(regs + 58), 0);
}

static void check_console(void)
{
	static const char words[] = "by a ring\n", early[] = "by the window\n";

	start(console, 1, &output);
	piece(&output, 0, (void *)words, sizeof(words) - 1, 0);
	check_eq("nothing written to the guest", ask(console, 1, &output), 0);
	check_interrupt(console);
	ask(console, 1, &output);
	check_eq("the same in a dword", REG32(console + 56) >> 16 & 0xFF, 1);
	check_eq("forgotten there, too", REG32(console + 56) >> 16 & 0xFF, 0);
	for (u32 i = 0; early[i]; i++) {
		set_config(CONSOLE, 0x84 + 4, 0);
		set_config(CONSOLE, 0x84 + 8, 60 + 8);
		set_config(CONSOLE, 0x84 + 12, 4);
		set_config(CONSOLE, 0x94, (u8)early[i]);
	}
}

static void check_disk(u32 regs)
{
	static u32 header[4];
	static u8 status;

	start(regs, 0, &disk);
	check_eq("sectors", REG32(regs + 60), 2048);
	check_eq("their upper half", REG32(regs + 64), 0);
	for (u32 i = 0; i < sizeof(sector); i++)
		sector[i] = i * 7;
	header[0] = 1;
	header[2] = 2047;
	piece(&disk, 0, header, 16, 1);
	piece(&disk, 1, sector, 512, 1);
	piece(&disk, 2, &status, 1, 2);
	status = 0xFF;
	check_eq("a sector is written", ask(regs, 0, &disk) | status << 8, 1);
	check_interrupt(regs);
	header[0] = 0;
	piece(&disk, 1, buffer, 512, 3);
	status = 0xFF;
	check_eq("and read", ask(regs, 0, &disk) | status << 16, 513);
	check_interrupt(regs);
	for (u32 i = 0; i < sizeof(sector); i++) {
		if (buffer[i] != sector[i]) {
			check_eq("the same", buffer[i], sector[i]);
			return;
		}
	}
	header[2] = 2048;
	ask(regs, 0, &disk);
	check_eq("not beyond the end", status, 1);
}

static void check_entropy(u32 regs)
{
	u32 any = 0;

	start(regs, 0, &entropy);
	piece(&entropy, 0, buffer, 64, 2);
	for (u32 i = 0; i < 64; i++)
		buffer[i] = 0;
	check_eq("64 bytes", ask(regs, 0, &entropy), 64);
	check_interrupt(regs);
	for (u32 i = 0; i < 64; i++)
		any |= buffer[i];
	check_eq("which are not all zero", any != 0, 1);

	/* A driver that breaks a rule has its device put out of service, and starts it again. */
	entropy.avail.index += 9;
	REG16(regs + 56) = 0;
	check_eq("needs a reset", REG8(regs + 20), 0x4F);
	check_eq("and says so", REG8(regs + 58), 2);
	check_eq("once", REG8(regs + 58), 0);
	entropy.avail.index = entropy.used.index = 0;
	start(regs, 0, &entropy);
	check_eq("64 bytes again", ask(regs, 0, &entropy), 64);
}

__attribute__((used)) void guest_main(void)
{
	data.blocked_interrupts = ~0u;
	data.noirq_iret = (u32)noirq_iret;
	data.kernel_address = 0xC0000000;
	data.syscall_vec = 0x80;
	hcall(LHCALL_LGUEST_INIT, (u32)&data, 0);

	console = config(CONSOLE, 0x10);
	check_ports();
	check_widths(console);
	check_console();
	for (u32 slot = 2; slot < 32; slot++) {
		u32 id = config(slot, 0);

		if (id == 0x10421AF4)
			check_disk(config(slot, 0x10));
		else if (id == 0x10441AF4)
			check_entropy(config(slot, 0x10));
		else
			check_eq("an empty slot", id, 0xFFFFFFFF);
	}
	say_number(passed);
	say(" passed, ");
	say_number(failed);
	say(" failed\n");
	hcall(LHCALL_SHUTDOWN, (u32)"Power down", POWEROFF);
}
