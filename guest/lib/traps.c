/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "traps.h"
#include "console.h"
#include "hcall.h"
#include "probe.h"

volatile u32 irq_count[LGUEST_IRQS];
trap_handler trap_hook;

static irq_handler handlers[LGUEST_IRQS];

void irq_set_handler(u32 irq, irq_handler handler)
{
	handlers[irq] = handler;
}

noreturn void trap_die(struct trap_frame *f)
{
	printf("unexpected trap %u error 0x%x at 0x%08x cs 0x%x cr2 0x%08x\n",
	       f->vector, f->error, f->eip, f->cs, lguest_data.cr2);
	printf("eax %08x ebx %08x ecx %08x edx %08x esi %08x edi %08x ebp %08x\n",
	       f->eax, f->ebx, f->ecx, f->edx, f->esi, f->edi, f->ebp);
	crash("unexpected trap");
}

/* [G:190+12] A trap
 * Traps and interrupts arrive as they do on hardware: the frame that the
 * processor would have pushed is on the kernel's stack, and a handler of the
 * guest's runs. Nothing in here knows that the host has pushed it.
 */
void trap_enter(struct trap_frame *f)
{
	if (f->vector >= FIRST_IRQ_VECTOR &&
	    f->vector < FIRST_IRQ_VECTOR + LGUEST_IRQS) {
		u32 irq = f->vector - FIRST_IRQ_VECTOR;

		irq_count[irq]++;
		if (handlers[irq])
			handlers[irq](f);
		return;
	}
	if (trap_hook && trap_hook(f))
		return;
	/* Does not come back if a probe is under way. */
	probe_trap(f);
	trap_die(f);
}
