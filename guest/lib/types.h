/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fixed-width names for a machine whose int is 32 bits, plus the handful of
 * macros every file wants.  There is no libc here, not even its headers.
 */
#ifndef GUEST_TYPES_H
#define GUEST_TYPES_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed char s8;
typedef short s16;
typedef int s32;
typedef long long s64;
typedef _Bool bool;

#define true 1
#define false 0
#define NULL ((void *)0)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define offsetof(t, m) __builtin_offsetof(t, m)
#define noreturn __attribute__((noreturn))
#define page_aligned __attribute__((aligned(4096)))
#define barrier() asm volatile("" : : : "memory")

/* Linux's name for "the compiler may not cache this one access". */
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

#endif
