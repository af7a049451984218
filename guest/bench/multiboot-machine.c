/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machine as a PC: segments, a task state for ring 3's stack, a serial port. */
#include "bench.h"
#include "desc.h"
#include "kernel.h"
#include "lguest.h"
#include "string.h"

#define phys(v)		((u32)(v) - PAGE_OFFSET)
#define SERIAL		0x3F8
#define TSS_SELECTOR	0x80
#define RING0_CS	0x60
#define RING0_DS	0x68

extern u32 boot_directory[1024];

static struct {
	u32 link, esp0, ss0, rest[22];
	u16 trap, bitmap;
} tss;
static struct desc segments[GDT_ENTRIES], gates[256];
static u32 directory[1024] page_aligned;

struct desc_pointer {
	u16 limit;
	u32 base;
} __attribute__((packed));

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

static struct desc descriptor(u32 base, u32 limit, u8 access, u8 flags)
{
	struct desc d = {
		(base << 16) | (limit & 0xFFFF),
		(base & 0xFF000000) | flags << 20 | (limit & 0xF0000) |
			access << 8 | ((base >> 16) & 0xFF),
	};
	return d;
}

static void gate(u32 vector, const void *handler, u32 dpl)
{
	gates[vector].a = RING0_CS << 16 | ((u32)handler & 0xFFFF);
	gates[vector].b = ((u32)handler & 0xFFFF0000) | 0x8000 | dpl << 13 |
		GATE_TRAP << 8;
}

void machine_init(const void *system_call, const void *page_fault,
		  const u32 *percpu)
{
	struct desc_pointer gdt = { sizeof(segments) - 1, (u32)segments };
	struct desc_pointer idt = { sizeof(gates) - 1, (u32)gates };

	segments[RING0_CS >> 3] = descriptor(0, 0xFFFFF, DESC_CODE_RX, 0xC);
	segments[RING0_DS >> 3] = descriptor(0, 0xFFFFF, DESC_DATA_RW, 0xC);
	segments[USER_CS >> 3] =
		descriptor(0, 0xFFFFF, DESC_CODE_RX | DESC_DPL(3), 0xC);
	segments[USER_DS >> 3] =
		descriptor(0, 0xFFFFF, DESC_DATA_RW | DESC_DPL(3), 0xC);
	segments[TSS_SELECTOR >> 3] =
		descriptor((u32)&tss, sizeof(tss) - 1, 0x89, 0);
	segments[PERCPU_SELECTOR >> 3] =
		descriptor((u32)percpu, 0xFFFFF, DESC_DATA_RW, 0xC);
	tss.ss0 = RING0_DS;
	tss.bitmap = sizeof(tss);
	gate(14, page_fault, 0);
	gate(SYSCALL_VECTOR, system_call, 3);
	asm volatile("lgdt %0\n\t"
		     "ljmp %2, $1f\n1:\t"
		     "movl %3, %%eax\n\t"
		     "movl %%eax, %%ds\n\t"
		     "movl %%eax, %%es\n\t"
		     "movl %%eax, %%ss\n\t"
		     "ltr %w4\n\t"
		     "lidt %1"
		     : : "m"(gdt), "m"(idt), "i"(RING0_CS), "i"(RING0_DS),
		     "r"(TSS_SELECTOR)
		     : "eax", "memory");
	/* The identity map was for the way up. */
	memcpy(directory, boot_directory, PAGE_SIZE);
	memset(directory, 0, PAGE_OFFSET >> 20);
	asm volatile("movl %0, %%cr3" : : "r"(phys(directory)) : "memory");
}

const u32 *machine_directory(void)
{
	return directory;
}

void machine_switch(const struct task *next)
{
	tss.esp0 = (u32)next->stack_top;
	memcpy(&segments[GDT_ENTRY_TLS_MIN], next->tls, sizeof(next->tls));
	asm volatile("movl %0, %%cr3" : : "r"(phys(next->directory)) : "memory");
}

u32 machine_fault_address(void)
{
	u32 address;

	asm volatile("movl %%cr2, %0" : "=r"(address));
	return address;
}

/* The processor looks for itself. */
void machine_set_pte(const u32 *directory, u32 address, u32 entry)
{
}

void machine_set_pte_later(const u32 *directory, u32 address, u32 entry)
{
}

void machine_apply(void)
{
}

void machine_set_table(const u32 *directory, u32 address)
{
}

void machine_flush_page(const u32 *directory, u32 address)
{
	asm volatile("invlpg (%0)" : : "r"(address) : "memory");
}

void machine_flush_user(void)
{
	u32 cr3;

	asm volatile("movl %%cr3, %0\n\tmovl %0, %%cr3" : "=r"(cr3) : : "memory");
}

/* The port that means nothing: PCs write to it to pass the time. */
void machine_call(void)
{
	outb(0x80, 0);
}

noreturn void machine_off(void)
{
	/* -device isa-debug-exit; without it, a triple fault. */
	struct desc_pointer none = { 0, 0 };

	outb(0xF4, 0);
	asm volatile("lidt %0\n\tint3" : : "m"(none));
	for (;;)
		;
}

noreturn void machine_die(const char *why)
{
	put_text(why, strlen(why));
	put_text("\n", 1);
	machine_off();
}

void put_text(const char *text, u32 len)
{
	while (len--) {
		while (!(inb(SERIAL + 5) & 0x20))
			;
		outb(SERIAL, *text++);
	}
}

/* rdtsc is the host's here; it has no name for its pace. */
u32 tsc_khz(void)
{
	return 0;
}

/* The loader's information: flags, two sizes, boot device, command line. */
void multiboot_main(const u32 *info)
{
	static char words[512];
	u32 i;

	if (info[0] & 4)
		for (i = 0; i < sizeof(words) - 1 && ((char *)info[4])[i]; i++)
			words[i] = ((char *)info[4])[i];
	if (strstr(words, " off"))
		machine_off();
	kernel_init();
	bench(words);
	machine_off();
}
