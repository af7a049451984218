/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Registers only: shifts, additions, a multiplication, a branch per round. */
#include "bench.h"

u32 run_integer(u32 repeats)
{
	u32 sum = 0;

	while (repeats--) {
		u32 x = 2463534242U, n = 50000;

		sum = 0;
		while (n--) {
			x ^= x << 13;
			x ^= x >> 17;
			x ^= x << 5;
			if (x & 64)
				sum += x * 5;
			else
				sum ^= n;
		}
	}
	return sum;
}
