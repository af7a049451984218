/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A dot product in the old floating point. */
#include "bench.h"

#define LENGTH 2048

u32 run_x87(u32 repeats)
{
	static double a[LENGTH], b[LENGTH];
	double sum = 0;
	u32 i, j;

	for (i = 0; i < LENGTH; i++) {
		a[i] = (s32)(i % 97) - 48;
		b[i] = (s32)(i % 89) * 0.5;
	}
	while (repeats--) {
		sum = 0;
		for (j = 0; j < 16; j++)
			for (i = 0; i < LENGTH; i++)
				sum += a[i] * b[i];
	}
	return (s32)sum;
}
