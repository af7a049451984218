/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CPUID and the time stamp counter, which the guest reads itself. */
#include "check.h"
#include "clock.h"
#include "mm.h"
#include "probe.h"

SNIPPET(snip_cpuid, "cpuid");
SNIPPET(snip_rdtsc, "rdtsc");

static void run(const u8 *code, u32 ring, u32 eax, struct probe_result *r)
{
	struct probe_state s;

	probe_defaults(&s, code, ring);
	s.eax = eax;
	probe_run(&s, r);
}

static void check_cpuid(u32 ring)
{
	static const struct { u32 bit; const char *name; } want[] = {
		{ 0, "fpu" }, { 4, "tsc" }, { 8, "cx8" }, { 15, "cmov" },
		{ 23, "mmx" }, { 24, "fxsr" }, { 25, "sse" }, { 26, "sse2" },
	};
	struct probe_result r, again;
	char vendor[13];
	u32 i;

	printf("ring %u:\n", ring);
	run(snip_cpuid, ring, 0, &r);
	check_eq("cpuid is allowed", r.vector, SYSCALL_VECTOR);
	check(r.s.eax >= 1 && r.s.eax < 0x1000, "highest leaf");
	*(u32 *)vendor = r.s.ebx;
	*(u32 *)(vendor + 4) = r.s.edx;
	*(u32 *)(vendor + 8) = r.s.ecx;
	vendor[12] = 0;
	for (i = 0; i < 12; i++)
		if (vendor[i] < ' ' || vendor[i] > '~')
			break;
	check_eq("vendor is text", i, 12);
	run(snip_cpuid, ring, 1, &r);
	printf("%s, signature 0x%x, features 0x%x 0x%x\n", vendor, r.s.eax,
	       r.s.edx, r.s.ecx);
	for (i = 0; i < ARRAY_SIZE(want); i++)
		check(r.s.edx >> want[i].bit & 1, want[i].name);
	check((r.s.eax >> 8 & 0xF) >= 6, "family 6 or later");
	if (!genuine())
		/* Announced, user space would use it. */
		check_eq("sysenter is not announced", r.s.edx >> 11 & 1, 0);
	run(snip_cpuid, ring, 1, &again);
	check(r.s.edx == again.s.edx && r.s.ecx == again.s.ecx &&
	      r.s.eax == again.s.eax, "the same answer twice");
	run(snip_cpuid, ring, 0x80000000, &r);
	check(r.vector == SYSCALL_VECTOR, "extended leaf");
}

static void check_tsc(u32 ring)
{
	struct probe_result r;
	u64 last = 0, now;
	u32 i, back = 0;

	for (i = 0; i < 200; i++) {
		run(snip_rdtsc, ring, 0, &r);
		now = (u64)r.s.edx << 32 | r.s.eax;
		back += now <= last;
		last = now;
	}
	check_eq("rdtsc is allowed", r.vector, SYSCALL_VECTOR);
	check_eq("it always moves on", back, 0);
}

void guest_main(void)
{
	check_cpuid(1);
	check_cpuid(3);
	check_tsc(1);
	check_tsc(3);
	check_finish();
}
