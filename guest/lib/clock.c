/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "clock.h"
#include "hcall.h"
#include "string.h"
#include "traps.h"

static u32 ticks_per_ms;

#ifndef GENERATION_2007_02
void clock_arm_us(u32 us)
{
	hcall(LHCALL_SET_CLOCKEVENT, us * 1000, 0, 0);
}

void clock_cancel(void)
{
	hcall(LHCALL_SET_CLOCKEVENT, 0, 0, 0);
}

/* The host may or may not vouch for the TSC; a shot of 20 ms tells anyway. */
void clock_init(void)
{
	bool on = irqs_off();
	u32 before = irq_count[0];
	u64 start;

	clock_arm_us(20000);
	start = rdtsc();
	irqs_on();
	while (irq_count[0] == before)
		asm volatile("pause");
	ticks_per_ms = div_u64(rdtsc() - start, 20, NULL);
	if (!on)
		irqs_off();
}
#endif

u32 clock_ticks_per_ms(void)
{
	return ticks_per_ms;
}

void spin_us(u32 us)
{
	u64 end = rdtsc() + div_u64((u64)ticks_per_ms * us, 1000, NULL);

	while (rdtsc() < end)
		asm volatile("pause");
}

void spin_ms(u32 ms)
{
	while (ms--)
		spin_us(1000);
}
