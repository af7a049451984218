/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Linux's own copy of its day: rep movsl and the odd bytes; 1 MiB by 64 KiB. */
#include "bench.h"

static void copy(void *to, const void *from, u32 n)
{
	u32 words = n / 4;

	asm volatile("rep movsl\n\tmovl %3, %%ecx\n\trep movsb"
		     : "+D"(to), "+S"(from), "+c"(words)
		     : "r"(n & 3)
		     : "memory");
}

u32 run_memcpy(u32 repeats)
{
	static u8 from[65536], to[65536];
	u32 i;

	for (i = 0; i < sizeof(from); i++)
		from[i] = i ^ i >> 8;
	while (repeats--)
		for (i = 0; i < 16; i++) {
			from[i] = i;
			copy(to, from, sizeof(from) - i);
		}
	return to[0] | to[5] << 8 | to[15] << 16 | to[65520] << 24;
}
