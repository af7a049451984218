/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Waiting.  The TSC's rate is measured against the clock event once. */
#ifndef GUEST_CLOCK_H
#define GUEST_CLOCK_H
#include "types.h"

static inline u64 rdtsc(void)
{
	u64 t;

	asm volatile("rdtsc" : "=A"(t));
	return t;
}

void clock_init(void);
u32 clock_ticks_per_ms(void);
/* Spin, with interrupts as they are. */
void spin_ms(u32 ms);
void spin_us(u32 us);
/* Arm the one-shot clock; it raises irq 0. */
void clock_arm_us(u32 us);
void clock_cancel(void);

#endif
