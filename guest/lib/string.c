/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "string.h"

/* Plain loops: -fno-tree-loop-distribute-patterns keeps gcc from turning
 * memcpy() into a call of memcpy(). */

void *memcpy(void *dst, const void *src, u32 n)
{
	u8 *d = dst;
	const u8 *s = src;

	while (n--)
		*d++ = *s++;
	return dst;
}

void *memmove(void *dst, const void *src, u32 n)
{
	u8 *d = dst;
	const u8 *s = src;

	if (d < s)
		return memcpy(dst, src, n);
	while (n--)
		d[n] = s[n];
	return dst;
}

void *memset(void *dst, int c, u32 n)
{
	u8 *d = dst;

	while (n--)
		*d++ = c;
	return dst;
}

int memcmp(const void *a, const void *b, u32 n)
{
	const u8 *p = a, *q = b;

	for (; n--; p++, q++)
		if (*p != *q)
			return *p - *q;
	return 0;
}

u32 strlen(const char *s)
{
	u32 n = 0;

	while (s[n])
		n++;
	return n;
}

int strncmp(const char *a, const char *b, u32 n)
{
	for (; n--; a++, b++)
		if (*a != *b || !*a)
			return (u8)*a - (u8)*b;
	return 0;
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, ~0U);
}

const char *strstr(const char *hay, const char *needle)
{
	u32 n = strlen(needle);

	for (; *hay; hay++)
		if (!strncmp(hay, needle, n))
			return hay;
	return NULL;
}

u32 parse_number(const char *s, const char **end)
{
	u32 base = 10, val = 0;

	if (s[0] == '0' && (s[1] | 32) == 'x') {
		base = 16;
		s += 2;
	}
	for (;; s++) {
		u32 digit;

		if (*s >= '0' && *s <= '9')
			digit = *s - '0';
		else if ((*s | 32) >= 'a' && (*s | 32) <= 'f')
			digit = (*s | 32) - 'a' + 10;
		else
			break;
		if (digit >= base)
			break;
		val = val * base + digit;
	}
	if (end)
		*end = s;
	return val;
}

u64 div_u64(u64 n, u32 d, u32 *rem)
{
	u32 hi = n >> 32, lo = n, qhi, qlo, r;

	/* Schoolbook: the remainder of the high half leads the low one. */
	qhi = hi / d;
	asm("divl %4" : "=a"(qlo), "=d"(r) : "0"(lo), "1"(hi % d), "r"(d));
	if (rem)
		*rem = r;
	return (u64)qhi << 32 | qlo;
}
