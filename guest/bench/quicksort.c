/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Branches nobody can foresee. */
#include "bench.h"

#define LENGTH 4096

static void sort(s32 *low, s32 *high)
{
	while (low < high) {
		s32 pivot = low[(high - low) / 2], *i = low, *j = high;

		while (i <= j) {
			while (*i < pivot)
				i++;
			while (*j > pivot)
				j--;
			if (i <= j) {
				s32 t = *i;

				*i++ = *j;
				*j-- = t;
			}
		}
		sort(low, j);
		low = i;
	}
}

u32 run_quicksort(u32 repeats)
{
	static s32 data[LENGTH];
	u32 sum = 0, i;

	while (repeats--) {
		u32 x = 12345;

		for (i = 0; i < LENGTH; i++) {
			x = x * 1103515245 + 12345;
			data[i] = x ^ x >> 11;
		}
		sort(data, data + LENGTH - 1);
		sum = 0;
		for (i = 0; i < LENGTH; i++)
			sum = sum * 31 + data[i];
	}
	return sum;
}
