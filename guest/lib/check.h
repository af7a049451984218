/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a conformance guest reports: one line per check, a summary, power off.
 * The word `genuine` on the command line leaves out what the hypervisor of
 * 2007 does not promise.
 */
#ifndef GUEST_CHECK_H
#define GUEST_CHECK_H
#include "boot.h"
#include "console.h"
#include "hcall.h"
#include "string.h"
#include "types.h"

bool check(bool ok, const char *name);
bool check_eq(const char *name, u32 got, u32 want);
/* The same with a reason made by printf. */
void check_fail(const char *name, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void check_skip(const char *name, const char *why);
bool genuine(void);
noreturn void check_finish(void);

/* Each guest provides this one; the early one runs before LGUEST_INIT. */
void guest_main(void);
void guest_early(void);

#endif
