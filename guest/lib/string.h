/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The few string functions, which gcc also expects to find on its own. */
#ifndef GUEST_STRING_H
#define GUEST_STRING_H
#include "types.h"

void *memcpy(void *dst, const void *src, u32 n);
void *memmove(void *dst, const void *src, u32 n);
void *memset(void *dst, int c, u32 n);
int memcmp(const void *a, const void *b, u32 n);
u32 strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, u32 n);
const char *strstr(const char *hay, const char *needle);
/* Decimal or 0x hexadecimal; *end is where it stopped. */
u32 parse_number(const char *s, const char **end);
/* A 64-bit dividend without libgcc. */
u64 div_u64(u64 n, u32 d, u32 *rem);

#endif
