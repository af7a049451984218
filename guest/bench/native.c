/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The same workloads as a program of the host's own Linux.  What kernels do is
 * the host kernel's work here, of a similar kind but not the same code.
 */
#include "bench.h"
#include "string.h"

#define SYS_EXIT	1
#define SYS_FORK	2
#define SYS_WRITE	4
#define SYS_WAITPID	7
#define SYS_GETPPID	64
#define SYS_MUNMAP	91
#define SYS_NANOSLEEP	162
#define SYS_MMAP2	192
#define SYS_CLOCK_GETTIME 265
#define CLOCK_MONOTONIC	1
#define PAGE		4096

u32 system_call(u32 number, u32 a, u32 b, u32 c, u32 d, u32 e, u32 f);

static noreturn void leave(u32 status)
{
	for (;;)
		system_call(SYS_EXIT, status, 0, 0, 0, 0, 0);
}

void put_text(const char *text, u32 len)
{
	u32 n;

	while (len) {
		n = system_call(SYS_WRITE, 1, (u32)text, len, 0, 0, 0);
		if ((s32)n <= 0)
			leave(1);
		text += n;
		len -= n;
	}
}

static u64 ticks(void)
{
	u64 t;

	asm volatile("rdtsc" : "=A"(t));
	return t;
}

static u64 nanoseconds(void)
{
	s32 now[2];

	system_call(SYS_CLOCK_GETTIME, CLOCK_MONOTONIC, (u32)now, 0, 0, 0, 0);
	return (u64)now[0] * 1000000000 + now[1];
}

/* Both clocks, read as nearly at once as a busy machine lets us. */
static void both(u64 *t, u64 *ns)
{
	u64 before, after, best = ~0ULL;
	u32 i;

	for (i = 0; i < 100; i++) {
		u64 now;

		before = ticks();
		now = nanoseconds();
		after = ticks();
		if (after - before < best) {
			best = after - before;
			*t = before + best / 2;
			*ns = now;
		}
	}
}

/* The counter's pace for all: the guests see the same one. */
u32 tsc_khz(void)
{
	s32 pause[2] = { 0, 50000000 };
	u64 t0, t1, ns0, ns1;

	both(&t0, &ns0);
	system_call(SYS_NANOSLEEP, (u32)pause, 0, 0, 0, 0, 0);
	both(&t1, &ns1);
	return div_u64((t1 - t0) * 1000, div_u64(ns1 - ns0, 1000, NULL), NULL);
}

u32 run_syscall(u32 repeats)
{
	u32 i = repeats * SYSCALLS;

	while (i--)
		system_call(SYS_GETPPID, 0, 0, 0, 0, 0, 0);
	return 1;
}

static volatile u32 *map(u32 pages)
{
	/* Readable, writable; private, anonymous. */
	return (volatile u32 *)system_call(SYS_MMAP2, 0, pages * PAGE, 3, 0x22, -1, 0);
}

u32 run_touch(u32 repeats)
{
	u32 i, sum = 0;

	while (repeats--) {
		volatile u32 *pages = map(TOUCHED_PAGES);

		sum = 0;
		for (i = TOUCHED_PAGES; i; i--) {
			pages[(i - 1) * PAGE / 4] = i;
			sum += pages[(i - 1) * PAGE / 4];
		}
		system_call(SYS_MUNMAP, (u32)pages, TOUCHED_PAGES * PAGE, 0, 0, 0, 0);
	}
	return sum;
}

u32 run_fork(u32 repeats)
{
	static volatile u32 *pages;
	u32 i, child;

	if (!pages)
		pages = map(FORK_PAGES);
	for (i = 0; i < FORK_PAGES; i++)
		pages[i * PAGE / 4] = 1;
	while (repeats--) {
		child = system_call(SYS_FORK, 0, 0, 0, 0, 0, 0);
		if (!child) {
			for (i = 0; i < FORK_PAGES / 2; i++)
				(void)pages[i * PAGE / 4];
			for (i = 0; i < FORK_WRITES; i++)
				pages[i * PAGE / 4]++;
			leave(0);
		}
		system_call(SYS_WAITPID, child, 0, 0, 0, 0, 0);
		for (i = 0; i < FORK_WRITES; i++)
			pages[i * PAGE / 4] = 1;
	}
	return 0;
}

u32 run_console(u32 repeats)
{
	static const char text[] =
		". The quick brown fox jumps over the lazy dog, over and again.\n";
	u32 i = repeats * CONSOLE_LINES;

	while (i--)
		put_text(text, sizeof(text) - 1);
	return 0;
}

void native_main(u32 argc, char **argv)
{
	static char words[512];
	u32 used = 0, i, j;

	for (i = 1; i < argc; i++) {
		for (j = 0; argv[i][j] && used < sizeof(words) - 2; j++)
			words[used++] = argv[i][j];
		words[used++] = ' ';
		if (used > sizeof(words) - 2)
			break;
	}
	bench(words);
	leave(0);
}
