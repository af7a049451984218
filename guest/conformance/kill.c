/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ways to die.  kill=NAME on the command line picks one; the harness compares
 * the reason with expect.txt.  A guest that survives says so and powers off.
 */
#include "check.h"
#include "desc.h"
#include "mm.h"
#include "traps.h"

/* Beyond any RAM the harness gives us, but not beyond 4 GiB. */
#define NOWHERE 0x7FFFF000U

#define PAGE (USER_PAGES + 0x80000)

static bool chosen(const char *name)
{
	const char *kill = option_value("kill");
	u32 n = strlen(name);

	return kill && !strncmp(kill, name, n) &&
		(!kill[n] || kill[n] == ' ');
}

static u32 read_at(u32 addr)
{
	return *(volatile u32 *)addr;
}

/* ---- before LGUEST_INIT: no console, no traps ---- */

void guest_early(void)
{
	if (chosen("before-init"))
		hcall(LHCALL_FLUSH_TLB, 0, 0, 0);
	if (chosen("before-init-send"))
		hcall(LHCALL_SEND_DMA, 0, 0, 0);
	if (chosen("early-page-fault"))
		read_at(0xDEADBEEF);
	if (chosen("early-write-fault"))
		*(volatile u32 *)0xABCDE0 = 1;
	if (chosen("early-ud"))
		asm volatile("ud2");
	if (chosen("early-gp"))
		asm volatile("hlt");
	if (chosen("early-int"))
		asm volatile("int $0x80");
	if (chosen("init-nowhere"))
		hcall(LHCALL_LGUEST_INIT, NOWHERE, 0, 0);
	if (chosen("init-wraps"))
		hcall(LHCALL_LGUEST_INIT, 0xFFFFFFF0, 0, 0);
	if (chosen("init-kernel-address"))
		hcall(LHCALL_LGUEST_INIT, (u32)&lguest_data, 0, 0);
}

/* ---- hypercalls ---- */

static void bad_calls(void)
{
	static char text[256];
	static const struct { const char *name; u32 args[4]; } simple[] = {
		{ "hcall-99", { 99 } },
		{ "hcall-11", { 11 } },
		{ "hcall-17", { 17 } },
		{ "hcall-negative", { 0xFFFFFFFF } },
		{ "crash-nowhere", { LHCALL_CRASH, NOWHERE } },
		{ "crash-wraps", { LHCALL_CRASH, 0xFFFFFFF0 } },
		{ "gdt-99", { LHCALL_LOAD_GDT, 0x1000, 99 } },
		{ "gdt-33", { LHCALL_LOAD_GDT, 0x1000, 33 } },
		{ "gdt-nowhere", { LHCALL_LOAD_GDT, NOWHERE, 32 } },
		{ "tls-nowhere", { LHCALL_LOAD_TLS, NOWHERE } },
		{ "idt-type-5", { LHCALL_LOAD_IDT_ENTRY, 6, 0, 0x8500 } },
		{ "idt-type-c", { LHCALL_LOAD_IDT_ENTRY, 14, 0, 0x8C00 } },
		{ "idt-type-syscall", { LHCALL_LOAD_IDT_ENTRY, 128, 0, 0x8000 } },
		{ "stack-segment", { LHCALL_SET_STACK, 0x60, 0xC0101000, 1 } },
		{ "stack-user", { LHCALL_SET_STACK, USER_DS, 0xC0101000, 1 } },
		{ "stack-pages", { LHCALL_SET_STACK, KERNEL_DS, 0xC0101000, 3 } },
		{ "stack-unmapped", { LHCALL_SET_STACK, KERNEL_DS, PAGE, 1 } },
		{ "bind-key", { LHCALL_BIND_DMA, 0x100002, 0x100000, 0x101 } },
		{ "send-key", { LHCALL_SEND_DMA, 0x100002, 0x100000 } },
		{ "send-nowhere", { LHCALL_SEND_DMA, CONSOLE_KEY, NOWHERE } },
		{ "set-pte-switcher", { LHCALL_SET_PTE, 0, 0xFFC00000, 0 } },
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(simple); i++)
		if (chosen(simple[i].name))
			hcall(simple[i].args[0], simple[i].args[1],
			      simple[i].args[2], simple[i].args[3]);
	if (chosen("init-twice"))
		hcall(LHCALL_LGUEST_INIT, phys(&lguest_data), 0, 0);
	if (chosen("crash"))
		crash("this is the reason");
	if (chosen("crash-long")) {
		/* All of 256 bytes are text: 127 make it. */
		memset(text, 'x', sizeof(text));
		text[126] = 'y';
		text[127] = 'z';
		hcall(LHCALL_CRASH, phys(text), 0, 0);
	}
	if (chosen("crash-empty"))
		hcall(LHCALL_CRASH, phys(text), 0, 0);
	if (chosen("ring-99")) {
		hcall_async(99, 0, 0, 0);
		hcall(LHCALL_FLUSH_ASYNC, 0, 0, 0);
	}
	if (chosen("stack-read-only")) {
		set_pte(PAGE, frame_pte(0, PTE_P));
		hcall(LHCALL_SET_STACK, KERNEL_DS, PAGE + 0x1000, 1);
	}
	if (chosen("send-section")) {
		static struct lguest_dma dma;

		dma.addr[0] = NOWHERE;
		dma.len[0] = 100;
		hcall(LHCALL_SEND_DMA, CONSOLE_KEY, phys(&dma), 0);
	}
}

/* ---- page tables ---- */

static void bad_tables(void)
{
	static u32 table[1024] page_aligned;

	if (chosen("pte-pse")) {
		*pte_of(PAGE) = frame_pte(0, 7 | PTE_PSE);
		read_at(PAGE);
	}
	if (chosen("pte-pwt")) {
		*pte_of(PAGE) = frame_pte(0, 7 | PTE_PWT);
		read_at(PAGE);
	}
	if (chosen("pte-limit")) {
		*pte_of(PAGE) = NOWHERE | 7;
		read_at(PAGE);
	}
	if (chosen("pte-just-beyond")) {
		/* RAM, the descriptor page, and the first page after it. */
		*pte_of(PAGE) = (ram_size() + PAGE_SIZE) | 7;
		read_at(PAGE);
	}
	if (chosen("set-pte-accessed")) {
		/* Bits already set: the host may look at once. */
		read_at(USER_STACK_TOP - 4);
		set_pte(PAGE, frame_pte(0, 7 | PTE_A | PTE_PSE));
		read_at(PAGE);
	}
	if (chosen("pgd-pse")) {
		set_pmd(USER_BASE + 0x400000, phys(frames) | 7 | PTE_PSE);
		read_at(USER_BASE + 0x400000);
	}
	if (chosen("pgd-limit")) {
		set_pmd(USER_BASE + 0x400000, NOWHERE | 7);
		read_at(USER_BASE + 0x400000);
	}
	if (chosen("pgdir-nowhere")) {
		hcall(LHCALL_NEW_PGTABLE, NOWHERE, 0, 0);
		read_at(PAGE);
	}
	if (chosen("switcher")) {
		table[1023] = frame_pte(0, 7);
		page_directory[1023] = phys(table) | 7;
		hcall(LHCALL_FLUSH_TLB, 1, 0, 0);
		read_at(0xFFFFF000);
	}
}

/* ---- traps nobody wants ---- */

static void bad_traps(void)
{
	if (chosen("no-gate-ud")) {
		idt_clear(6);
		asm volatile("ud2");
	}
	if (chosen("no-gate-page-fault")) {
		idt_clear(14);
		read_at(0xDEADBEE0);
	}
	if (chosen("no-gate-gp")) {
		idt_clear(13);
		asm volatile("movw %w0, %%ds" : : "r"(0x100));
	}
	if (chosen("no-gate-divide")) {
		idt_clear(0);
		asm volatile("divl %0" : : "r"(0), "a"(1), "d"(0));
	}
	if (chosen("no-gate-syscall")) {
		idt_clear(SYSCALL_VECTOR);
		idt_clear(13);
		asm volatile("int $0x80");
	}
	if (chosen("stack-gone"))
		/* A page fault, and nowhere to push its frame. */
		asm volatile("movl $16, %%esp; movl 16, %%eax" : : : "eax");
}

void guest_main(void)
{
	bad_calls();
	bad_tables();
	bad_traps();
	printf("still alive: no such scenario, or it did not kill\n");
}
