/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Faults and traps, to the letter: vector, error code, %eip, CR2, and not a
 * register touched.  Most are in the table, faults-cases.S; here are those
 * which need a hand: fetches, partial string moves, single step, flags.
 */
#include "cases.h"
#include "check.h"
#include "desc.h"
#include "mm.h"
#include "probe.h"

#define NAME(buf, fmt, ring) snprintf(buf, sizeof(buf), fmt ", ring %u", ring)

/* ---- fetching instructions ---- */

static void fetch(const char *what, u32 eip, u32 ring, u32 error, u32 cr2)
{
	struct probe_state s;
	struct probe_result r;
	char name[96];

	snprintf(name, sizeof(name), "%s, ring %u", what, ring);
	probe_defaults(&s, snippets_start, ring);
	s.eip = eip;
	probe_run(&s, &r);
	if (r.vector != 14 || r.error != error || r.cr2 != cr2 ||
	    r.s.eip != eip)
		check_fail(name, "trap %u error 0x%x cr2 0x%x eip 0x%x",
			   r.vector, r.error, r.cr2, r.s.eip);
	else
		check(true, name);
}

static void check_fetch(void)
{
	u32 ring;

	/* The last byte of P_RW begins an instruction of five bytes. */
	*(volatile u8 *)(P_NONE - 1) = 0xB8;
	for (ring = 1; ring <= 3; ring += 2) {
		u32 user = ring == 3 ? 4 : 0;

		fetch("fetch from absent page", P_NONE + 8, ring, user,
		      P_NONE + 8);
		fetch("fetch across into absent page", P_NONE - 1, ring, user,
		      P_NONE);
	}
	fetch("user fetches from supervisor page", P_SUP, 3, 5, P_SUP);
}

/* ---- string instructions caught half way ---- */

SNIPPET(snip_rep_movsl, "rep movsl");
SNIPPET(snip_rep_movsb, "rep movsb");
SNIPPET(snip_rep_stosl, "rep stosl");
SNIPPET(snip_std_movsl, "std; rep movsl");
SNIPPET(snip_rep_lodsb, "rep lodsb");
SNIPPET(snip_repe_cmpsb, "repe cmpsb");

static void partial(const char *what, const u8 *code, u32 ring, u32 esi,
		    u32 edi, u32 ecx, s32 step_si, s32 step_di, u32 done,
		    u32 error, u32 cr2, u32 skip)
{
	struct probe_state s;
	struct probe_result r;
	char name[96];

	snprintf(name, sizeof(name), "%s, ring %u", what, ring);
	probe_defaults(&s, code, ring);
	s.esi = esi;
	s.edi = edi;
	s.ecx = ecx;
	probe_run(&s, &r);
	if (ring == 3)
		error |= 4;
	if (r.vector != 14 || r.error != error || r.cr2 != cr2)
		check_fail(name, "trap %u error 0x%x cr2 0x%x", r.vector,
			   r.error, r.cr2);
	else if (r.s.eip != s.eip + skip)
		check_fail(name, "eip off by %d", r.s.eip - s.eip - skip);
	else if (r.s.ecx != ecx - done || r.s.esi != esi + step_si * done ||
		 r.s.edi != edi + step_di * done)
		check_fail(name, "ecx %x esi %x edi %x", r.s.ecx, r.s.esi,
			   r.s.edi);
	else
		check(true, name);
}

static void check_partial(void)
{
	u32 ring, i;

	for (ring = 1; ring <= 3; ring += 2) {
		u32 *src = (u32 *)frames[0], *dst = (u32 *)frames[5];

		for (i = 0; i < 8; i++)
			src[i] = 0xABC00000 + i;
		memset(dst, 0, PAGE_SIZE);
		partial("rep movsl stops at a read-only page", snip_rep_movsl,
			ring, P_RW, P_RO3 - 20, 8, 4, 4, 5, 3, P_RO3, 0);
		check_eq("  what it moved stays moved", dst[1023], 0xABC00004);
		partial("rep movsb stops at an absent page", snip_rep_movsb,
			ring, P_RW, P_NONE - 3, 100, 1, 1, 3, 2, P_NONE, 0);
		partial("rep movsl stops on its source", snip_rep_movsl, ring,
			P_NONE - 8, P_RW3, 100, 4, 4, 2, 0, P_NONE, 0);
		partial("rep movsl stops inside an element", snip_rep_movsl,
			ring, P_NONE - 10, P_RW3, 100, 4, 4, 2, 0, P_NONE, 0);
		partial("rep stosl stops at a read-only page", snip_rep_stosl,
			ring, 0, P_RO3 - 40, 100, 0, 4, 10, 3, P_RO3, 0);
		partial("rep movsl backwards", snip_std_movsl, ring,
			P_RW + 0x800, P_STK + 8, 100, -4, -4, 3, 2,
			P_STK - 4, 1);
		partial("rep lodsb", snip_rep_lodsb, ring, P_NONE - 7, 0, 100,
			1, 0, 7, 0, P_NONE, 0);
		memset(frames[0] + 0xF00, 0x5A, 0x100);
		memset(frames[5], 0x5A, 0x200);
		partial("repe cmpsb", snip_repe_cmpsb, ring, P_NONE - 100,
			P_RW3, 500, 1, 1, 100, 0, P_NONE, 0);
	}
}

/* A write that starts on a good page and ends on a bad one writes nothing. */
SNIPPET(snip_cross, "movl $0x12345678, (%edi)");

static void check_cross(void)
{
	struct probe_state s;
	struct probe_result r;
	u32 ring;

	for (ring = 1; ring <= 3; ring += 2) {
		memset(frames[0] + PAGE_SIZE - 4, 0xEE, 4);
		probe_defaults(&s, snip_cross, ring);
		s.edi = P_NONE - 2;
		probe_run(&s, &r);
		check_eq("write across two pages is all or nothing",
			 *(u32 *)(frames[0] + PAGE_SIZE - 4), 0xEEEEEEEE);
	}
}

/* ---- single step ---- */

SNIPPET(snip_step, "nop; pushfl; popl %eax");
SNIPPET(snip_step_rep, "rep stosb; nop");
SNIPPET(snip_step_popf, "pushl $0x102; popfl; nop; nop");
SNIPPET(snip_step_jump, "jmp 1f; ud2; 1: nop");
SNIPPET(snip_icebp, ".byte 0xF1");

static void step(const char *what, const u8 *code, u32 flags, u32 off,
		 u32 ring, struct probe_result *r)
{
	struct probe_state s;
	char name[96];

	snprintf(name, sizeof(name), "%s, ring %u", what, ring);
	probe_defaults(&s, code, ring);
	s.eflags |= flags;
	s.ecx = 3;
	s.edi = P_RW;
	probe_run(&s, r);
	if (r->vector != 1 || r->s.eip != s.eip + off)
		check_fail(name, "trap %u eip+%d", r->vector,
			   r->s.eip - s.eip);
	else
		check(true, name);
}

static u32 steps;

/* Let it step on, counting. */
static bool count_steps(struct trap_frame *f)
{
	if (f->vector != 1)
		return false;
	steps++;
	return true;
}

static void check_step(void)
{
	struct probe_result r;
	struct probe_state s;
	u32 ring;

	for (ring = 1; ring <= 3; ring += 2) {
		step("single step", snip_step, X86_EFLAGS_TF, 1, ring, &r);
		check(r.s.eflags & X86_EFLAGS_TF, "  TF in the frame");
		step("single step of rep stops each time", snip_step_rep,
		     X86_EFLAGS_TF, 0, ring, &r);
		check_eq("  one iteration", r.s.ecx, 2);
		step("popf sets TF: the next instruction traps",
		     snip_step_popf, 0, 7, ring, &r);
		step("single step of a jump", snip_step_jump, X86_EFLAGS_TF, 4,
		     ring, &r);
		if (genuine())
			check_skip("icebp", "QEMU differs from processors");
		else
			step("icebp", snip_icebp, 0, 1, ring, &r);

		probe_defaults(&s, snip_step, ring);
		s.eflags |= X86_EFLAGS_TF;
		steps = 0;
		trap_hook = count_steps;
		probe_run(&s, &r);
		trap_hook = NULL;
		check_eq("three instructions, three steps", steps, 3);
		check(r.vector == SYSCALL_VECTOR &&
		      (r.s.eax & X86_EFLAGS_TF), "pushf shows TF");
	}
}

/* ---- not traps ---- */

SNIPPET(snip_into_no, "into");
SNIPPET(snip_bound_ok, "movl $5,(%edi); movl $9,4(%edi); movl $9,%eax; bound %eax,(%edi)");
SNIPPET(snip_prefetch, "prefetchnta 0x08101000");
SNIPPET(snip_linear, "movl frames, %eax");
SNIPPET(snip_nopl, ".byte 0x0f,0x1f,0x05,0x00,0x10,0x10,0x08");

static void no_trap(const char *what, const u8 *code, u32 ring)
{
	struct probe_state s;
	struct probe_result r;
	char name[96];

	snprintf(name, sizeof(name), "%s, ring %u", what, ring);
	probe_defaults(&s, code, ring);
	s.edi = P_RW;
	probe_run(&s, &r);
	check_eq(name, r.vector, SYSCALL_VECTOR);
}

/* ---- what the frame shows of the interrupt flag ---- */

SNIPPET(snip_gp, "hlt");
SNIPPET(snip_pf, "movl 0x08101000, %eax");

static void check_if(void)
{
	struct probe_result r;
	u32 ring;

	for (ring = 1; ring <= 3; ring += 2) {
		irqs_off();
		probe(snip_gp, ring, &r);
		check_eq("IF of a fault's frame, interrupts off",
			 r.s.eflags & X86_EFLAGS_IF, 0);
		probe(snip_pf, ring, &r);
		check_eq("IF of a page fault's frame, interrupts off",
			 r.s.eflags & X86_EFLAGS_IF, 0);
		irqs_on();
		probe(snip_gp, ring, &r);
		irqs_off();
		check_eq("IF of a fault's frame, interrupts on",
			 r.s.eflags & X86_EFLAGS_IF, X86_EFLAGS_IF);
	}
}

/* A trap gate leaves irq_enabled alone, an interrupt gate clears it. */
static void check_gates(void)
{
	struct probe_result r;

	irqs_on();
	probe(snip_gp, 1, &r);
	check_eq("trap gate leaves interrupts on", lguest_data.irq_enabled,
		 X86_EFLAGS_IF);
	idt_set(13, trap_stubs[13], GATE_INTERRUPT, 0);
	irqs_on();
	probe(snip_gp, 1, &r);
	check_eq("interrupt gate turns interrupts off",
		 lguest_data.irq_enabled, 0);
	check_eq("  but the frame has them on", r.s.eflags & X86_EFLAGS_IF,
		 X86_EFLAGS_IF);
	irqs_on();
	probe(snip_gp, 3, &r);
	check_eq("the same from ring 3", lguest_data.irq_enabled, 0);
	idt_defaults();
}

/* The page fault of a page never used before. */
SNIPPET(snip_write, "movl %eax, (%edi)");
SNIPPET(snip_read, "movl (%edi), %eax");

static void check_fresh(void)
{
	struct probe_state s;
	struct probe_result r;
	u32 page = P_RO3 + 0x1000;

	if (genuine()) {
		check_skip("error code for a page not used before",
			   "the genuine one then says absent");
		return;
	}
	set_pte(page, frame_pte(7, PTE_P | PTE_U));
	probe_defaults(&s, snip_write, 3);
	s.edi = page;
	probe_run(&s, &r);
	check_eq("first use writes a read-only page", r.error, 7);
	set_pte(page, frame_pte(7, PTE_P | PTE_W));
	probe_defaults(&s, snip_read, 3);
	s.edi = page;
	probe_run(&s, &r);
	check_eq("first use reads a supervisor page", r.error, 5);
	check_eq("  whose entry stays untouched", *pte_of(page),
		 frame_pte(7, PTE_P | PTE_W));
	set_pte(page, 0);
}

void guest_main(void)
{
	u32 ring;

	cases_map();
	cases_run();
	check_fetch();
	check_partial();
	check_cross();
	check_step();
	for (ring = 1; ring <= 3; ring += 2) {
		no_trap("into without OF", snip_into_no, ring);
		no_trap("bound within", snip_bound_ok, ring);
		no_trap("prefetch of absent page", snip_prefetch, ring);
		no_trap("nop with an absent operand", snip_nopl, ring);
	}
	/* The launcher's linear map has flags 7: user space may use it, and a
	 * kernel that minds has to change it. */
	no_trap("the linear map is open", snip_linear, 3);
	check_if();
	check_gates();
	check_fresh();
	check_finish();
}
