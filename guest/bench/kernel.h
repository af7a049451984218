/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel just large enough for the kernel-side workloads: tasks, a pool of
 * frames, page faults, copy on write.  What it cannot do by itself it asks of
 * the machine, which is either an lguest host or a whole PC.
 */
#ifndef BENCH_KERNEL_H
#define BENCH_KERNEL_H

#define PERCPU_SELECTOR	0xd8		/* entry 27, as in Linux */
#define NR_EXIT		0
#define NR_GETPPID	1
#define NR_YIELD	2
#define NR_CALLS	3

#ifndef __ASSEMBLY__
#include "types.h"

#define USER_CODE	0x08000000U	/* these share one page table */
#define USER_STACK	0x08010000U
#define USER_DATA	0x08100000U
#define STACK_BYTES	8192

/* What traps.S saves, in Linux's order. */
struct frame {
	u32 ebx, ecx, edx, esi, edi, ebp, eax;
	u32 ds, es, fs;
	u32 error;			/* or the system call's number */
	u32 eip, cs, eflags, esp, ss;
};

struct task {
	u32 saved_esp;
	u32 *directory, *table;
	u8 *stack_top;
	u32 tls[6];			/* GDT entries 6 to 8 */
};

/* The machine. */
void machine_init(const void *system_call, const void *page_fault,
		  const u32 *percpu);
/* Linear map of the kernel, entries 768 and up. */
const u32 *machine_directory(void);
void machine_switch(const struct task *next);
u32 machine_fault_address(void);
/* An entry was written: now, or some time before machine_apply(). */
void machine_set_pte(const u32 *directory, u32 address, u32 entry);
void machine_set_pte_later(const u32 *directory, u32 address, u32 entry);
void machine_apply(void);
/* The page table for user space came or went. */
void machine_set_table(const u32 *directory, u32 address);
void machine_flush_page(const u32 *directory, u32 address);
void machine_flush_user(void);
/* The cheapest way to leave the guest and come back. */
void machine_call(void);
noreturn void machine_off(void);
noreturn void machine_die(const char *why);

void kernel_init(void);

#endif
#endif
