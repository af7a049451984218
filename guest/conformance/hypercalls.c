/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Good hypercalls: what they return, what they leave alone, and the ring.
 * The bad ones are fatal: see kill.c.
 */
#include "check.h"
#include "desc.h"
#include "mm.h"
#include "probe.h"

SNIPPET(snip_hcall, "int $0x1f");
SNIPPET(snip_fninit, "fninit");
SNIPPET(snip_nop, "nop");

/* Everything but %eax comes back, and %eax keeps the call number. */
static void check_preserved(const char *name, u32 call, u32 a1, u32 a2, u32 a3)
{
	struct probe_state s;
	struct probe_result r;

	probe_defaults(&s, snip_hcall, 1);
	s.eax = call;
	s.edx = a1;
	s.ebx = a2;
	s.ecx = a3;
	s.esi = 0x13579BDF;
	s.edi = 0x2468ACE0;
	s.ebp = 0xDEADBEEF;
	s.eflags = 2 | X86_EFLAGS_ARITH;
	probe_run(&s, &r);
	check(r.vector == SYSCALL_VECTOR && r.s.eax == call &&
	      r.s.edx == a1 && r.s.ebx == a2 && r.s.ecx == a3 &&
	      r.s.esi == s.esi && r.s.edi == s.edi && r.s.ebp == s.ebp &&
	      r.s.esp == s.esp &&
	      (r.s.eflags & X86_EFLAGS_ARITH) == X86_EFLAGS_ARITH &&
	      r.s.ds == KERNEL_DS && r.s.es == KERNEL_DS, name);
}

static void check_returns(void)
{
	static struct desc tls[3];

	check_preserved("FLUSH_ASYNC", LHCALL_FLUSH_ASYNC, 1, 2, 3);
	check_preserved("LOAD_GDT", LHCALL_LOAD_GDT, phys(gdt), 32, 3);
	check_preserved("NEW_PGTABLE", LHCALL_NEW_PGTABLE,
			phys(page_directory), 2, 3);
	check_preserved("FLUSH_TLB, user", LHCALL_FLUSH_TLB, 0, 2, 3);
	check_preserved("FLUSH_TLB, all", LHCALL_FLUSH_TLB, 1, 2, 3);
	check_preserved("LOAD_IDT_ENTRY", LHCALL_LOAD_IDT_ENTRY, 63, 0, 0);
	check_preserved("SET_STACK", LHCALL_SET_STACK, KERNEL_DS,
			(u32)kernel_trap_stack_top, 2);
	check_preserved("SET_STACK, one page", LHCALL_SET_STACK, KERNEL_DS,
			(u32)kernel_trap_stack_top, 1);
	check_preserved("TS", LHCALL_TS, 0, 2, 3);
	check_preserved("SET_CLOCKEVENT", LHCALL_SET_CLOCKEVENT, 0, 2, 3);
	check_preserved("SET_PTE", LHCALL_SET_PTE, phys(page_directory),
			USER_PAGES, 0);
	check_preserved("SET_PMD", LHCALL_SET_PMD, phys(page_directory), 1, 3);
	check_preserved("SET_PMD of the host's 4 MiB", LHCALL_SET_PMD,
			phys(page_directory), 1023, 3);
	check_preserved("LOAD_TLS", LHCALL_LOAD_TLS, phys(tls), 2, 3);
	idt_defaults();
}

/* Vectors the host keeps for itself, whatever nonsense we send. */
static void check_ignored_gates(void)
{
	static const u8 ignored[] = { 2, 8, 15, 0x1F, 64, 127, 129, 255 };
	struct probe_result r;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(ignored); i++)
		hcall(LHCALL_LOAD_IDT_ENTRY, ignored[i], 0, 0x8500);
	check(true, "gates of vectors that are not ours are ignored");
	probe(snip_hcall, 1, &r);
	check_eq("hypercalls still work", r.vector, SYSCALL_VECTOR);
	/* Not present: the type is nobody's business. */
	hcall(LHCALL_LOAD_IDT_ENTRY, 6, 0, 0x0500);
	check(true, "an absent gate of a bad type is harmless");
	idt_defaults();
}

static void check_stack(void)
{
	static u8 stack[PAGE_SIZE] page_aligned;
	struct probe_result r;

	hcall(LHCALL_SET_STACK, KERNEL_DS, (u32)stack + PAGE_SIZE - 64, 1);
	probe(snip_nop, 3, &r);
	check_eq("a system call arrives on the stack of SET_STACK", r.frame,
		 (u32)stack + PAGE_SIZE - 64 - 5 * 4);
	hcall(LHCALL_SET_STACK, KERNEL_DS, (u32)kernel_trap_stack_top, 2);
	probe(snip_nop, 3, &r);
	check_eq("and on the next one", r.frame,
		 (u32)kernel_trap_stack_top - 5 * 4);
}

static u32 pending(void)
{
	u32 i, n = 0;

	for (i = 0; i < LHCALL_RING_SIZE; i++)
		n += lguest_data.hcall_status[i] != 0xFF;
	return n;
}

static bool ts_is_set(void)
{
	struct probe_result r;

	probe(snip_fninit, 1, &r);
	return r.vector == 7;
}

static void check_ring(void)
{
	static const char one[] = "(ring, first line)\n";
	static const char two[] = "(ring, second line)\n";
	static struct lguest_dma dma[2];
	static char text[64] __attribute__((aligned(64)));
	u32 i, round, total = 0;

	check_eq("the ring is empty", pending(), 0);
	hcall_async(LHCALL_TS, 8, 0, 0);
	check_eq("a queued call waits", pending(), 1);
	hcall(LHCALL_FLUSH_ASYNC, 0, 0, 0);
	check_eq("FLUSH_ASYNC empties the ring", pending(), 0);
	check(ts_is_set(), "the queued call took effect");

	hcall_async(LHCALL_TS, 8, 0, 0);
	hcall_async(LHCALL_TS, 0, 0, 0);
	hcall(LHCALL_FLUSH_ASYNC, 0, 0, 0);
	check(!ts_is_set(), "queued calls run in order");
	hcall_async(LHCALL_TS, 0, 0, 0);
	hcall_async(LHCALL_TS, 8, 0, 0);
	hcall(LHCALL_TS, 0, 0, 0);
	check(!ts_is_set(), "and before the synchronous one");

	/* Three times around, in odd steps. */
	for (round = 0; round < 28; round++) {
		for (i = 0; i < 7; i++, total++)
			hcall_async(LHCALL_TS, total & 1 ? 0 : 8, 0, 0);
		hcall(LHCALL_FLUSH_ASYNC, 0, 0, 0);
	}
	check_eq("around the ring", pending(), 0);
	check_eq("the last one counts", ts_is_set(), false);
	for (i = 0; i < LHCALL_RING_SIZE; i++)
		hcall_async(LHCALL_TS, i & 1 ? 8 : 0, 0, 0);
	check_eq("a full ring", pending(), LHCALL_RING_SIZE);
	hcall(LHCALL_FLUSH_ASYNC, 0, 0, 0);
	check_eq("all of it runs", pending(), 0);
	check(ts_is_set(), "up to its end");
	hcall(LHCALL_TS, 0, 0, 0);

	/* Two messages: the launcher serves one after the other. */
	memcpy(text, one, sizeof(one));
	memcpy(text + 32, two, sizeof(two));
	for (i = 0; i < 2; i++) {
		dma[i].addr[0] = phys(text) + i * 32;
		dma[i].len[0] = strlen(text + i * 32);
		hcall_async(LHCALL_SEND_DMA, CONSOLE_KEY, phys(&dma[i]), 0);
	}
	hcall(LHCALL_FLUSH_ASYNC, 0, 0, 0);
	check_eq("two SEND_DMA in the ring", pending(), 0);
	check_eq("the first was served", dma[0].used_len, strlen(one));
	check_eq("the second was served", dma[1].used_len, strlen(two));
}

/* The host starts at its cursor: a gap stops it. */
static void check_gap(void)
{
	u32 i, first = LHCALL_RING_SIZE;

	/* Find our place: queue one call and see where it went. */
	hcall_async(LHCALL_FLUSH_ASYNC, 0, 0, 0);
	for (i = 0; i < LHCALL_RING_SIZE; i++)
		if (lguest_data.hcall_status[i] == 0)
			first = i;
	hcall(LHCALL_FLUSH_ASYNC, 0, 0, 0);
	i = (first + 2) % LHCALL_RING_SIZE;
	lguest_data.hcalls[i].eax = LHCALL_FLUSH_ASYNC;
	lguest_data.hcall_status[i] = 0;
	hcall(LHCALL_FLUSH_ASYNC, 0, 0, 0);
	check_eq("a call behind a gap waits", pending(), 1);
	hcall_async(LHCALL_FLUSH_ASYNC, 0, 0, 0);
	hcall(LHCALL_FLUSH_ASYNC, 0, 0, 0);
	check_eq("until the gap is closed", pending(), 0);
}

static void check_rings(void)
{
	struct probe_state s;
	struct probe_result r;

	probe_defaults(&s, snip_hcall, 3);
	probe_run(&s, &r);
	check_eq("a hypercall from ring 3 is refused", r.vector, 13);
	check_eq("  error code", r.error, 0x1F * 8 + 2);
}

void guest_main(void)
{
	check_returns();
	check_ignored_gates();
	check_stack();
	check_ring();
	check_gap();
	check_rings();
	check_finish();
}
