/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Time of day.  The host writes it into lguest_data whenever it delivers an
 * interrupt, so the way to ask for it is to ask for an interrupt.
 */
#include "demo.h"
#include "traps.h"

static s32 boot_sec, boot_nsec;

static void refresh(void)
{
	u32 before = irq_count[0];

	irqs_off();
	hcall(LHCALL_SET_CLOCKEVENT, 1000, 0, 0);
	while (irq_count[0] == before) {
		hcall(LHCALL_HALT, 0, 0, 0);
		irqs_off();
	}
	irqs_on();
}

void time_init(void)
{
	/* As LGUEST_INIT left it. */
	boot_sec = lguest_data.time_sec;
	boot_nsec = lguest_data.time_nsec;
}

void cmd_uptime(const char *args)
{
	s32 sec, nsec;

	refresh();
	sec = lguest_data.time_sec - boot_sec;
	nsec = lguest_data.time_nsec - boot_nsec;
	if (nsec < 0) {
		nsec += 1000000000;
		sec--;
	}
	printf("up %u:%02u:%02u.%03u\n", sec / 3600, sec / 60 % 60, sec % 60,
	       nsec / 1000000);
}

void cmd_date(const char *args)
{
	static const char day_name[] = "ThuFriSatSunMonTueWed";
	u32 now, days, sec, year = 1970, month = 0, length, leap;
	static const u8 lengths[] = {
		31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
	};

	refresh();
	now = lguest_data.time_sec;
	days = now / 86400;
	sec = now % 86400;
	console_write(&day_name[days % 7 * 3], 3);
	for (;; year++) {
		leap = year % 4 == 0 && (year % 100 || year % 400 == 0);
		if (days < 365 + leap)
			break;
		days -= 365 + leap;
	}
	for (;; month++) {
		length = lengths[month] + (month == 1 && leap);
		if (days < length)
			break;
		days -= length;
	}
	printf(" %u-%02u-%02u %02u:%02u:%02u UTC\n", year, month + 1, days + 1,
	       sec / 3600, sec / 60 % 60, sec % 60);
}
