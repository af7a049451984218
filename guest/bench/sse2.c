/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packed doubles and packed integers, four kilobytes of each. */
#include "bench.h"

#define LENGTH 512

typedef double doubles __attribute__((vector_size(16)));
typedef u32 words __attribute__((vector_size(16)));

u32 run_sse2(u32 repeats)
{
	static doubles a[LENGTH / 2];
	static words b[LENGTH / 2];
	u32 result = 0, i, j;

	for (i = 0; i < LENGTH / 2; i++) {
		a[i] = (doubles){ i % 61, i % 59 };
		b[i] = (words){ i * 3, ~i, i << 16, i ^ 0x5555 };
	}
	while (repeats--) {
		doubles sum = { 0, 0 };
		words mix = { 0, 0, 0, 0 };

		for (j = 0; j < 64; j++)
			for (i = 0; i < LENGTH / 2; i++) {
				sum += a[i] * a[i];
				mix = (mix ^ b[i]) + (b[i] << 3);
				mix = __builtin_shuffle(mix, (words){ 1, 2, 3, 0 });
			}
		result = (u32)(s32)(sum[0] - sum[1]) ^ mix[0] ^ mix[1] * 3 ^
			mix[2] * 5 ^ mix[3] * 7;
	}
	return result;
}
