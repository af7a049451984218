/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Measures: a sample is a stretch of a millisecond or so, so short that most
 * of them pass undisturbed on a busy machine; many are taken, and the best and
 * the middle one are told.
 */
#include "bench.h"
#include "string.h"

#define MAX_SAMPLES 200

static const struct {
	const char *name;
	workload run;
	u32 operations;			/* in one repeat */
} workloads[] = {
	{ "integer", run_integer, 1 },
	{ "sieve", run_sieve, 1 },
	{ "crc32", run_crc32, 1 },
	{ "md5", run_md5, 1 },
	{ "memcpy", run_memcpy, 1 },
	{ "quicksort", run_quicksort, 1 },
	{ "recursion", run_recursion, 1 },
	{ "indirect", run_indirect, 1 },
	{ "x87", run_x87, 1 },
	{ "sse2", run_sse2, 1 },
	{ "syscall", run_syscall, SYSCALLS },
	{ "switch", run_switch, SWITCHES },
	{ "touch", run_touch, TOUCHED_PAGES },
	{ "fork", run_fork, 1 },
	{ "hypercall", run_hypercall, HYPERCALLS },
	{ "console", run_console, CONSOLE_LINES },
};

static char line[160];
static u32 used;

static void add(const char *text)
{
	while (*text && used < sizeof(line) - 1)
		line[used++] = *text++;
}

static void add_number(u64 n)
{
	char digits[24];
	u32 i = sizeof(digits) - 1, digit;

	digits[i] = '\0';
	do {
		n = div_u64(n, 10, &digit);
		digits[--i] = '0' + digit;
	} while (n);
	add(" ");
	add(digits + i);
}

static void end_line(void)
{
	line[used++] = '\n';
	put_text(line, used);
	used = 0;
}

static u64 ticks(void)
{
	u64 t;

	asm volatile("rdtsc" : "=A"(t) : : "memory");
	return t;
}

static const char *value(const char *words, const char *name)
{
	u32 n = strlen(name);

	while (*words) {
		if (!strncmp(words, name, n))
			return words + n;
		while (*words && *words != ' ')
			words++;
		while (*words == ' ')
			words++;
	}
	return NULL;
}

static u32 number(const char *words, const char *name, u32 otherwise)
{
	const char *v = value(words, name), *end;

	return v ? parse_number(v, &end) : otherwise;
}

static bool chosen(const char *list, const char *name)
{
	u32 n = strlen(name);

	if (!list)
		return true;
	while (*list && *list != ' ') {
		if (!strncmp(list, name, n) &&
		    (!list[n] || list[n] == ',' || list[n] == ' '))
			return true;
		while (*list && *list != ' ' && *list++ != ',')
			;
	}
	return false;
}

/* Samples of so many repeats, or of 0: as many as take the wanted time. */
static void measure(u32 which, u32 samples, u32 wanted, u32 repeats)
{
	static u64 taken[MAX_SAMPLES];
	u32 sum = workloads[which].run(1), i, j;
	bool calibrate = !repeats;
	u64 t;

	for (repeats += calibrate; calibrate;) {
		t = ticks();
		if (workloads[which].run(repeats) != sum)
			sum = ~0U;
		t = ticks() - t;
		if (t >= wanted || repeats >= 1 << 20)
			break;
		repeats *= 2;
	}
	/* The last step may have been delayed rather than long enough. */
	for (i = 0; i < samples; i++) {
		t = ticks();
		if (workloads[which].run(repeats) != sum)
			sum = ~0U;
		t = ticks() - t;
		for (j = i; j && taken[j - 1] > t; j--)
			taken[j] = taken[j - 1];
		taken[j] = t;
	}
	add("bench ");
	add(workloads[which].name);
	add_number(sum);
	add_number(repeats * workloads[which].operations);
	add_number(taken[0]);
	add_number(taken[samples / 2]);
	end_line();
}

void bench(const char *words)
{
	const char *only = value(words, "only=");
	u32 samples = number(words, "samples=", 40);
	u32 us = number(words, "us=", 1000), khz = tsc_khz(), wanted, i;
	u32 repeats = number(words, "repeats=", 0);

	if (samples < 1 || samples > MAX_SAMPLES)
		samples = MAX_SAMPLES;
	/* Who does not say runs at some such pace. */
	wanted = div_u64((u64)us * (khz ? khz : 2000000), 1000, NULL);
	add("begin");
	add_number(khz);
	add_number(ticks());
	end_line();
	for (i = 0; i < ARRAY_SIZE(workloads); i++)
		if (workloads[i].run && chosen(only, workloads[i].name))
			measure(i, samples, wanted, repeats);
	add("end");
	add_number(ticks());
	end_line();
}
