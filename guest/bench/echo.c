/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A PC with an NE2000 on its ISA bus that answers ARP for 192.168.19.2 and sends
 * UDP packets to port 7 back, as the demo guest does under lguest: something to
 * compare its network with.  No paging, one interrupt; it sleeps in between.
 */
#define MY_IP		0xC0A81302
#define ECHO_PORT	7

#define NIC		0x300
#define NIC_IRQ		9
#define NIC_DATA	(NIC + 0x10)
#define CR		(NIC + 0x0)
#define PSTART		(NIC + 0x1)
#define PSTOP		(NIC + 0x2)
#define BNRY		(NIC + 0x3)
#define TPSR		(NIC + 0x4)
#define TBCR0		(NIC + 0x5)
#define TBCR1		(NIC + 0x6)
#define ISR		(NIC + 0x7)
#define RSAR0		(NIC + 0x8)
#define RSAR1		(NIC + 0x9)
#define RBCR0		(NIC + 0xA)
#define RBCR1		(NIC + 0xB)
#define RCR		(NIC + 0xC)
#define TCR		(NIC + 0xD)
#define DCR		(NIC + 0xE)
#define IMR		(NIC + 0xF)
#define CURR		(NIC + 0x7)	/* page 1 */

#define CR_STOP		0x21
#define CR_START	0x22
#define CR_PAGE1	0x40
#define CR_READ		0x0A
#define CR_WRITE	0x12
#define CR_TRANSMIT	0x26
#define ISR_RECEIVED	0x01
#define ACCEPT_BROADCAST 0x04

/* Pages of the card's memory: 6 to send from, the others to receive into. */
#define SEND_PAGE	0x40
#define RING_START	0x46
#define RING_END	0xC0

#define MULTIBOOT_MAGIC	0x1BADB002
#define STRINGIFY(x)	#x
#define STRING(x)	STRINGIFY(x)

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;

struct table {
	u16 limit;
	u32 base;
} __attribute__((packed));

struct entry {
	u32 low, high;
};

static const struct entry segments[3] = {
	{ 0, 0 }, { 0x0000FFFF, 0x00CF9B00 }, { 0x0000FFFF, 0x00CF9300 },
};
static struct entry gates[256];
static u32 packet[400];
static u8 next_page = RING_START + 1;
/* As on QEMU's command line: its card goes by that, whatever its registers say. */
static const u8 mac[6] = { 0x52, 0x54, 0x00, 0x19, 0x00, 0x02 };

void interrupt(void);
void start(void);

asm("	.text\n"
    "	.balign	4\n"
    "	.long	" STRING(MULTIBOOT_MAGIC) ", 0, -" STRING(MULTIBOOT_MAGIC) "\n"
    "	.globl	_start\n"
    "_start:\n"
    "	movl	$stack_top, %esp\n"
    "	call	start\n"
    "	.globl	interrupt\n"
    "interrupt:\n"
    "	pushl	%eax\n"
    "	movb	$0x20, %al\n"
    "	outb	%al, $0xA0\n"
    "	outb	%al, $0x20\n"
    "	popl	%eax\n"
    "	iret\n"
    "	.bss\n"
    "	.balign	16\n"
    "	.skip	8192\n"
    "stack_top:\n"
    "	.text\n");

static inline void outb(u16 port, u8 value)
{
	asm volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline u8 inb(u16 port)
{
	u8 value;

	asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static void copy_from_card(void *to, u16 from, u32 bytes)
{
	u32 words = (bytes + 3) / 4;

	outb(RBCR0, words * 4);
	outb(RBCR1, words * 4 >> 8);
	outb(RSAR0, from);
	outb(RSAR1, from >> 8);
	outb(CR, CR_READ);
	asm volatile("cld; rep insl" : "+D"(to), "+c"(words)
		     : "d"(NIC_DATA) : "memory");
}

static void transmit(const void *from, u32 bytes)
{
	u32 words = (bytes + 3) / 4;

	outb(RBCR0, words * 4);
	outb(RBCR1, words * 4 >> 8);
	outb(RSAR0, 0);
	outb(RSAR1, SEND_PAGE);
	outb(CR, CR_WRITE);
	asm volatile("cld; rep outsl" : "+S"(from), "+c"(words)
		     : "d"(NIC_DATA) : "memory");
	outb(TPSR, SEND_PAGE);
	outb(TBCR0, bytes);
	outb(TBCR1, bytes >> 8);
	outb(CR, CR_TRANSMIT);
}

static u32 get16(const u8 *p)
{
	return p[0] << 8 | p[1];
}

static void put32(u8 *p, u32 v)
{
	p[0] = v >> 24;
	p[1] = v >> 16;
	p[2] = v >> 8;
	p[3] = v;
}

static void swap(u8 *a, u8 *b, u32 bytes)
{
	while (bytes--) {
		u8 t = *a;

		*a++ = *b;
		*b++ = t;
	}
}

/* Sums stay right when source and destination change places. */
static void answer(u8 *frame, u32 bytes)
{
	u32 i;

	if (get16(frame + 12) == 0x0806 && frame[21] == 1 &&
	    get16(frame + 38) == MY_IP >> 16 &&
	    get16(frame + 40) == (MY_IP & 0xFFFF)) {
		swap(frame + 22, frame + 32, 10);
		for (i = 0; i < 6; i++)
			frame[22 + i] = mac[i];
		put32(frame + 28, MY_IP);
		frame[21] = 2;
	} else if (get16(frame + 12) == 0x0800 && frame[14] == 0x45 &&
		   frame[23] == 17 && get16(frame + 36) == ECHO_PORT) {
		swap(frame + 26, frame + 30, 4);
		swap(frame + 34, frame + 36, 2);
	} else {
		return;
	}
	for (i = 0; i < 6; i++) {
		frame[i] = frame[6 + i];
		frame[6 + i] = mac[i];
	}
	transmit(frame, bytes);
}

static void receive(void)
{
	for (;;) {
		u8 header[4];
		u32 bytes, place, first;

		outb(CR, CR_START | CR_PAGE1);
		first = inb(CURR);
		outb(CR, CR_START);
		if (first == next_page)
			return;
		place = next_page << 8;
		copy_from_card(header, place, sizeof(header));
		bytes = (header[2] | header[3] << 8) - sizeof(header);
		/* The card goes back to the ring's start by itself. */
		if (bytes <= sizeof(packet)) {
			copy_from_card(packet, place + sizeof(header), bytes);
			answer((u8 *)packet, bytes);
		}
		next_page = header[1];
		outb(BNRY, next_page == RING_START ? RING_END - 1 :
		     next_page - 1);
	}
}

static void card_init(void)
{
	u32 i;

	outb(CR, CR_STOP);
	outb(DCR, 0x49);
	outb(RBCR0, 0);
	outb(RBCR1, 0);
	outb(RCR, ACCEPT_BROADCAST);
	outb(TCR, 0);
	outb(PSTART, RING_START);
	outb(PSTOP, RING_END);
	outb(BNRY, RING_START);
	outb(ISR, 0xFF);
	outb(IMR, ISR_RECEIVED);
	outb(CR, CR_STOP | CR_PAGE1);
	for (i = 0; i < 6; i++)
		outb(NIC + 1 + i, mac[i]);
	outb(CURR, next_page);
	outb(CR, CR_START);
}

static void interrupts_init(void)
{
	struct table gdt = { sizeof(segments) - 1, (u32)segments };
	struct table idt = { sizeof(gates) - 1, (u32)gates };
	u32 handler = (u32)interrupt, i;

	for (i = 0x20; i < 256; i++) {
		gates[i].low = 0x08 << 16 | (handler & 0xFFFF);
		gates[i].high = (handler & 0xFFFF0000) | 0x8E00;
	}
	asm volatile("lgdt %0\n\t"
		     "ljmp $0x08, $1f\n1:\t"
		     "movl $0x10, %%eax\n\t"
		     "movl %%eax, %%ds\n\t"
		     "movl %%eax, %%es\n\t"
		     "movl %%eax, %%ss\n\t"
		     "lidt %1"
		     : : "m"(gdt), "m"(idt) : "eax", "memory");
	/* Both controllers: from vector 0x20 and 0x28 on, only the card's. */
	outb(0x20, 0x11);
	outb(0xA0, 0x11);
	outb(0x21, 0x20);
	outb(0xA1, 0x28);
	outb(0x21, 4);
	outb(0xA1, 2);
	outb(0x21, 1);
	outb(0xA1, 1);
	outb(0x21, 0xFF & ~(1 << 2));
	outb(0xA1, 0xFF & ~(1 << (NIC_IRQ - 8)));
}

void start(void)
{
	const char *p;

	interrupts_init();
	card_init();
	for (p = "echo ready\n"; *p; p++)
		outb(0x3F8, *p);
	for (;;) {
		outb(ISR, 0xFF);
		receive();
		/* Nothing comes between looking and sleeping. */
		if (!(inb(ISR) & ISR_RECEIVED))
			asm volatile("sti; hlt; cli" : : : "memory");
	}
}
