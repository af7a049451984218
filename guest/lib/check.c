/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "check.h"

static u32 passed, failed, skipped;

bool check(bool ok, const char *name)
{
	if (ok) {
		passed++;
		printf("%s: ok\n", name);
	} else {
		check_fail(name, "not so");
	}
	return ok;
}

bool check_eq(const char *name, u32 got, u32 want)
{
	if (got == want)
		return check(true, name);
	check_fail(name, "got 0x%x, want 0x%x", got, want);
	return false;
}

void check_fail(const char *name, const char *fmt, ...)
{
	char why[160];
	__builtin_va_list ap;

	__builtin_va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	__builtin_va_end(ap);
	printf("%s: FAIL %s\n", name, why);
	failed++;
}

void check_skip(const char *name, const char *why)
{
	skipped++;
	printf("%s: skipped, %s\n", name, why);
}

bool genuine(void)
{
	return option("genuine");
}

noreturn void check_finish(void)
{
	if (skipped)
		printf("%u skipped\n", skipped);
	printf("%u passed, %u failed\n", passed, failed);
	power_off();
}
