/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One set of workloads, compiled once, linked three times: as an lguest guest,
 * as a multiboot kernel and as a static Linux program without a libc.
 */
#ifndef BENCH_H
#define BENCH_H
#include "types.h"

/*
 * Does its work `repeats` times over and returns a checksum, the same for any
 * number of repeats, so that whoever measures may choose that number.
 */
typedef u32 (*workload)(u32 repeats);


#define DECLARE_WORK(name) u32 run_##name(u32 repeats)
DECLARE_WORK(integer);
DECLARE_WORK(sieve);
DECLARE_WORK(crc32);
DECLARE_WORK(md5);
DECLARE_WORK(memcpy);
DECLARE_WORK(quicksort);
DECLARE_WORK(recursion);
DECLARE_WORK(indirect);
DECLARE_WORK(x87);
DECLARE_WORK(sse2);
/* These are kernels' work: a Linux program has its own idea of them, or none. */
DECLARE_WORK(syscall) __attribute__((weak));
DECLARE_WORK(switch) __attribute__((weak));
DECLARE_WORK(touch) __attribute__((weak));
DECLARE_WORK(fork) __attribute__((weak));
DECLARE_WORK(hypercall) __attribute__((weak));
DECLARE_WORK(console) __attribute__((weak));

/* How much one repeat of these is, for all who implement them. */
#define SYSCALLS	256
#define SWITCHES	64
#define TOUCHED_PAGES	256
#define FORK_PAGES	64
#define FORK_WRITES	16
#define HYPERCALLS	256
#define CONSOLE_LINES	8

/* What the harness wants from the place it runs in. */
void put_text(const char *text, u32 len);
/* Kilohertz of rdtsc, or 0 where nobody says. */
u32 tsc_khz(void);
/* Runs what the words choose: only=NAME,NAME samples=N us=N */
void bench(const char *words);

#endif
