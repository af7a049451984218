/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Calls through a table, as interpreters and object systems make them. */
#include "bench.h"

#define OPERATION(name, expression) \
	static __attribute__((noipa)) u32 name(u32 a, u32 i) \
	{ \
		return expression; \
	}
OPERATION(plus, a + i)
OPERATION(minus, a - 3 * i)
OPERATION(mix, a ^ i << 3)
OPERATION(turn, a << 5 | a >> 27)
OPERATION(times, a * 33)
OPERATION(swap, a << 16 | a >> 16)
OPERATION(not, ~a)
OPERATION(more, a + (i & 15))

u32 run_indirect(u32 repeats)
{
	static u32 (*const table[8])(u32, u32) = {
		plus, minus, mix, turn, times, swap, not, more
	};
	static u8 program[4096];
	u32 a = 0, x = 99, i;

	for (i = 0; i < sizeof(program); i++) {
		x = x * 1664525 + 1013904223;
		program[i] = x >> 29;
	}
	while (repeats--) {
		a = 1;
		for (i = 0; i < 4 * sizeof(program); i++)
			a = table[program[i % sizeof(program)]](a, i);
	}
	return a;
}
