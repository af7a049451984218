/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cases.h"
#include "check.h"
#include "mm.h"
#include "probe.h"

struct fault_case {
	const char *name;
	const u8 *code, *at;
	u32 vector, error, cr2, rings, flags;
};
extern const struct fault_case cases_start[], cases_end[];

static u32 watched_eip;
static bool before_seen;
static struct trap_frame before;

/* The system call of AT: remember the registers and carry on. */
static bool snapshot(struct trap_frame *f)
{
	if (f->vector != SYSCALL_VECTOR || f->eip != watched_eip)
		return false;
	before = *f;
	if ((f->cs & 3) != 3)
		before.esp = (u32)&f->esp;
	before_seen = true;
	return true;
}

static void map(u32 vaddr, u32 frame, u32 flags)
{
	set_pte(vaddr, frame_pte(frame, flags | PTE_P));
	/* The genuine host learns of a page by its first use, and until then
	 * reports protection faults as absent pages. */
	touch(vaddr);
}

void cases_map(void)
{
	map(P_RW, 0, PTE_U | PTE_W);
	map(P_RO, 1, PTE_U);
	map(P_SUP, 2, PTE_W);
	map(P_SUPRO, 3, 0);
	map(P_STK, 4, PTE_U | PTE_W);
	map(P_RW3, 5, PTE_U | PTE_W);
	map(P_RO3, 6, PTE_U);
}

static const char *diff(const struct fault_case *c,
			const struct probe_result *r)
{
	static char why[80];
	const struct { const char *name; u32 got, want; } reg[] = {
		{ "eax", r->s.eax, before.eax },
		{ "ecx", r->s.ecx, before.ecx },
		{ "edx", r->s.edx, before.edx },
		{ "ebx", r->s.ebx, before.ebx },
		{ "esp", r->s.esp, before.esp },
		{ "ebp", r->s.ebp, before.ebp },
		{ "esi", r->s.esi, before.esi },
		{ "edi", r->s.edi, before.edi },
		{ "ds", r->s.ds, before.ds & 0xFFFF },
		{ "es", r->s.es, before.es & 0xFFFF },
		{ "fs", r->s.fs, before.fs & 0xFFFF },
		{ "gs", r->s.gs, before.gs & 0xFFFF },
		{ "flags", r->s.eflags & (X86_EFLAGS_ARITH | X86_EFLAGS_DF),
		  before.eflags & (X86_EFLAGS_ARITH | X86_EFLAGS_DF) },
	};
	u32 i, n = ARRAY_SIZE(reg);

	if (c->flags & NO_FLAGS)
		n--;
	for (i = 0; i < n; i++)
		if (reg[i].got != reg[i].want &&
		    !((c->flags & ONLY_ESP) && strcmp(reg[i].name, "esp"))) {
			snprintf(why, sizeof(why), "%s is 0x%x, was 0x%x",
				 reg[i].name, reg[i].got, reg[i].want);
			return why;
		}
	return NULL;
}

static void run_case(const struct fault_case *c, u32 ring)
{
	u32 at = ring == 3 ? user_alias(c->at) : (u32)c->at;
	u32 error = c->error, ignore = c->flags & ANY_W ? 2 : 0;
	struct probe_state s;
	struct probe_result r;
	const char *why;
	char name[96];

	snprintf(name, sizeof(name), "%s, ring %u", c->name, ring);
	if ((c->flags & (OURS | NOT_TCG)) && genuine()) {
		check_skip(name, c->flags & OURS ? "not promised" :
			   "QEMU differs from processors");
		return;
	}
	probe_defaults(&s, c->code, ring);
	s.eax = 0x11223344;
	s.ecx = 3;
	s.edx = 0x55667788;
	s.ebx = P_RW;
	s.esi = P_RW + 0x800;
	s.edi = P_NONE;
	s.ebp = P_RW + 0x400;
	s.eflags = 2 | X86_EFLAGS_CF | X86_EFLAGS_AF | X86_EFLAGS_SF |
		X86_EFLAGS_OF;
	if (c->vector == 14 && ring == 3)
		error |= 4;
	watched_eip = at;
	before_seen = false;
	trap_hook = snapshot;
	probe_run(&s, &r);
	trap_hook = NULL;

	if (!before_seen)
		check_fail(name, "trap %u error 0x%x at 0x%x before the case "
			   "began", r.vector, r.error, r.s.eip);
	else if (r.vector != c->vector)
		check_fail(name, "trap %u error 0x%x eip+%d, want trap %u",
			   r.vector, r.error, r.s.eip - at, c->vector);
	else if ((r.error ^ error) & ~ignore)
		check_fail(name, "error code 0x%x, want 0x%x", r.error, error);
	else if (r.s.eip != at + (c->flags & 0xFF))
		check_fail(name, "eip off by %d",
			   r.s.eip - at - (c->flags & 0xFF));
	else if (c->vector == 14 && !(c->flags & NO_CR2) && r.cr2 != c->cr2)
		check_fail(name, "cr2 0x%x, want 0x%x", r.cr2, c->cr2);
	else if ((why = diff(c, &r)))
		check_fail(name, "%s", why);
	else
		check(true, name);
}

void cases_run(void)
{
	const struct fault_case *c;

	for (c = cases_start; c < cases_end; c++) {
		if (c->rings & RING1)
			run_case(c, 1);
		if (c->rings & RING3)
			run_case(c, 3);
	}
}
