/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Traps and interrupts.  The stubs in traps-asm.S build this frame; trap_enter()
 * hands it to the interrupt's handler, to the probe that is waiting for it,
 * to the system-call handler, or reports it and gives up.
 */
#ifndef GUEST_TRAPS_H
#define GUEST_TRAPS_H
#include "types.h"

struct trap_frame {
	u32 gs, fs, es, ds;
	u32 edi, esi, ebp, unused_esp, ebx, edx, ecx, eax;
	u32 vector, error;
	/* From here on it is the processor's. */
	u32 eip, cs, eflags;
	/* Only when coming from ring 3. */
	u32 esp, ss;
};

/* 64 entries; no stub where the host never delivers. */
extern const void *const trap_stubs[];
extern const u8 syscall_stub[], noirq_start[], noirq_end[], noirq_spin[];
extern u8 kernel_stack_top[];
/* A stack of its own for ring 3's traps: probes return past their frames. */
extern u8 kernel_trap_stack_top[];

typedef void (*irq_handler)(struct trap_frame *f);
void irq_set_handler(u32 irq, irq_handler handler);
extern volatile u32 irq_count[];

/* Return true when dealt with; whoever installs it may edit the frame. */
typedef bool (*trap_handler)(struct trap_frame *f);
extern trap_handler trap_hook;

noreturn void trap_die(struct trap_frame *f);

#endif
