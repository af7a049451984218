/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two ways to ask the host for something: `int $0x1f` at once, or a slot
 * of the ring in lguest_data, which the host empties before the next call.
 */
#ifndef GUEST_HCALL_H
#define GUEST_HCALL_H
#include "lguest.h"

#define phys(v)		((u32)(v) - PAGE_OFFSET)
#define virt(p)		((void *)((u32)(p) + PAGE_OFFSET))

/* [G:110+8] A hypercall
 * One instruction. The word "memory" tells the compiler that anything may have
 * changed meanwhile, and it may: the host has been at work.
 */
static inline u32 hcall(u32 call, u32 a1, u32 a2, u32 a3)
{
	asm volatile("int $0x1f"
		     : "+a"(call)
		     : "d"(a1), "b"(a2), "c"(a3)
		     : "memory");
	return call;
}

void hcall_init(void);
/* Queue a call; a full ring falls back on the synchronous kind. */
void hcall_async(u32 call, u32 a1, u32 a2, u32 a3);
noreturn void crash(const char *reason);
noreturn void power_off(void);

/* [G:170+15] Interrupts off and on
 * What cli and sti are on a real machine: a write to the word that the host
 * looks at before it interrupts. It costs what a write costs. (What if an
 * interrupt comes in right after irqs_on? It is delivered a little later: the
 * host looks again soon.)
 */
static inline bool irqs_off(void)
{
	bool on = lguest_data.irq_enabled & X86_EFLAGS_IF;

	lguest_data.irq_enabled = 0;
	barrier();
	return on;
}

static inline void irqs_on(void)
{
	barrier();
	lguest_data.irq_enabled = X86_EFLAGS_IF;
}

#endif
