/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Console input: binds buffers at key 0 and echoes whole lines until `quit`.
 * Of its four buffers only the last is ever free: the host has to find it, and
 * with one the order of the input is beyond doubt.
 *   lines=one,two	the lines that must arrive, in order
 *   small		a buffer of four bytes, freed slowly: the launcher must
 *			wait, and not a byte may be lost
 */
#include "check.h"
#include "clock.h"
#include "device.h"
#include "traps.h"

#define NR_BUFFERS 4

static char buffers[NR_BUFFERS][64] __attribute__((aligned(64)));
static struct lguest_dma dmas[NR_BUFFERS];
static struct lguest_dma *const last = &dmas[NR_BUFFERS - 1];

static char line[128];
static u32 length, lines;
static const char *wanted;

static bool match(void)
{
	u32 n = strlen(line);

	if (!wanted || strncmp(wanted, line, n))
		return false;
	if (wanted[n] && wanted[n] != ',' && wanted[n] != ' ')
		return false;
	wanted += n + (wanted[n] == ',');
	return true;
}

/* Returns true on `quit`. */
static bool feed(char c)
{
	if (c != '\n' && c != '\r') {
		if (length < sizeof(line) - 1)
			line[length++] = c;
		return false;
	}
	line[length] = '\0';
	length = 0;
	if (!strcmp(line, "quit"))
		return true;
	lines++;
	printf("[%s]\n", line);
	if (wanted)
		check(match(), "the expected line");
	return false;
}

void guest_main(void)
{
	u32 irq = device_find(DEVICE_CONSOLE, 0) + 1, i, idle = 0;
	bool small = option("small"), done = false;

	wanted = option_value("lines");
	for (i = 0; i < NR_BUFFERS; i++) {
		dmas[i].used_len = &dmas[i] != last;
		dmas[i].addr[0] = phys(buffers[i]);
		dmas[i].len[0] = small ? 4 : sizeof(buffers[i]);
	}
	clock_init();
	if (option("late"))
		spin_ms(300);
	check_eq("bind", hcall(LHCALL_BIND_DMA, CONSOLE_KEY, phys(dmas),
			       NR_BUFFERS << 8 | irq), 1);
	printf("ready\n");
	irqs_off();
	while (!done) {
		u32 used = READ_ONCE(last->used_len);

		if (!used) {
			hcall(LHCALL_HALT, 0, 0, 0);
			irqs_off();
			idle++;
			continue;
		}
		if (small)
			spin_ms(20);
		if (used > last->len[0])
			check_fail("used_len", "is %u", used);
		for (i = 0; i < used && !done; i++)
			done = feed(buffers[NR_BUFFERS - 1][i]);
		WRITE_ONCE(last->used_len, 0);
	}
	/* All the input may have come before we ever slept. */
	irqs_on();
	for (i = 0; i < 10; i++)
		hcall(LHCALL_FLUSH_ASYNC, 0, 0, 0);
	irqs_off();
	for (i = 0; i < NR_BUFFERS - 1; i++)
		if (dmas[i].used_len != 1 || buffers[i][0])
			break;
	check_eq("used buffers are left alone", i, NR_BUFFERS - 1);
	check(irq_count[irq] > 0, "the console's interrupt");
	check_eq("unbind", hcall(LHCALL_BIND_DMA, CONSOLE_KEY, phys(dmas),
				 NR_BUFFERS << 8), 1);
	if (wanted)
		check(*wanted == '\0' || *wanted == ' ', "all the lines came");
	printf("%u lines, slept %u times\n", lines, idle);
	check_finish();
}
