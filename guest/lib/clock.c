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

/* Wait for one shot; tell when it came, in the host's terms and in the TSC's. */
static void shot(u32 us, u64 *tsc, s32 *sec, s32 *nsec)
{
	u32 before = irq_count[0];

	clock_arm_us(us);
	irqs_on();
	while (irq_count[0] == before)
		asm volatile("pause");
	irqs_off();
	*tsc = rdtsc();
	*sec = lguest_data.time_sec;
	*nsec = lguest_data.time_nsec;
}

/*
 * The host may or may not vouch for the TSC; measure it.  On a busy machine a
 * shot comes late, but the host says when it delivered it: what counts is the
 * time between two of them.  Whoever has lost the processor right after that
 * measures again, if the host says that it has.
 */
void clock_init(void)
{
	bool on = irqs_off();
	u64 start, end;
	s32 sec0, nsec0, sec1, nsec1;
	u32 us, khz = lguest_data.tsc_khz, tries = 0;

	do {
		shot(1000, &start, &sec0, &nsec0);
		shot(40000, &end, &sec1, &nsec1);
		us = (sec1 - sec0) * 1000000 + (nsec1 - nsec0) / 1000;
		ticks_per_ms = div_u64((end - start) * 1000, us, NULL);
	} while (khz && (ticks_per_ms > khz + khz / 4 ||
			 ticks_per_ms < khz - khz / 4) && ++tries < 5);
	if (on)
		irqs_on();
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
