/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Eratosthenes: byte stores at growing strides. */
#include "bench.h"

#define LIMIT 32768

u32 run_sieve(u32 repeats)
{
	static u8 composite[LIMIT];
	u32 primes = 0;

	while (repeats--) {
		u32 i, j;

		for (i = 0; i < LIMIT; i++)
			composite[i] = 0;
		primes = 0;
		for (i = 2; i < LIMIT; i++) {
			if (composite[i])
				continue;
			primes++;
			for (j = 2 * i; j < LIMIT; j += i)
				composite[j] = 1;
		}
	}
	return primes;
}
