/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Calls and returns: Fibonacci's numbers the slow way. */
#include "bench.h"

/* noipa: one function as written, not the compiler's unrolled family of them. */
static __attribute__((noipa)) u32 fibonacci(u32 n)
{
	if (n < 2)
		return n;
	return fibonacci(n - 1) + fibonacci(n - 2);
}

u32 run_recursion(u32 repeats)
{
	u32 sum = 0;

	while (repeats--)
		sum = fibonacci(20);
	return sum;
}
