/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtual interrupts and the clock that raises the first of them: the three
 * ways to hold one back, the two kinds of gate, HALT, and iret.
 */
#include "check.h"
#include "clock.h"
#include "desc.h"
#include "mm.h"
#include "probe.h"

static struct trap_frame last;
static u32 enabled_inside, in_noirq, nested, depth;

static void on_clock(struct trap_frame *f)
{
	last = *f;
	enabled_inside = lguest_data.irq_enabled;
	if (f->eip >= (u32)noirq_start && f->eip < (u32)noirq_end)
		in_noirq++;
	if (depth)
		nested++;
}

/* Give a pending interrupt every chance to arrive. */
static bool arrives(u32 before)
{
	u32 ms;

	for (ms = 0; ms < 500 && irq_count[0] == before; ms++)
		spin_ms(1);
	return irq_count[0] != before;
}

/* Leave nothing behind for the next check. */
static void settle(void)
{
	u32 i;

	clock_cancel();
	irqs_on();
	for (i = 0; i < 10; i++)
		hcall(LHCALL_FLUSH_ASYNC, 0, 0, 0);
	irqs_off();
}

static void make_pending(void)
{
	irqs_off();
	clock_arm_us(1000);
	spin_ms(10);
}

static void check_masks(void)
{
	u32 n = irq_count[0];

	make_pending();
	check_eq("irq_enabled 0 holds the clock back", irq_count[0], n);
	irqs_on();
	check(arrives(n), "irq_enabled lets it in");
	check_eq("  frame's cs", last.cs, KERNEL_CS);
	check_eq("  frame's IF", last.eflags & X86_EFLAGS_IF, X86_EFLAGS_IF);
	check_eq("  interrupt gate turned interrupts off", enabled_inside, 0);
	check_eq("  iret turned them on", lguest_data.irq_enabled,
		 X86_EFLAGS_IF);

	n = irq_count[0];
	make_pending();
	lguest_data.blocked_interrupts = 1;
	irqs_on();
	spin_ms(20);
	check_eq("blocked_interrupts holds it back", irq_count[0], n);
	lguest_data.blocked_interrupts = ~1U;
	check(arrives(n), "other bits do not");
	lguest_data.blocked_interrupts = 0;

	n = irq_count[0];
	make_pending();
	idt_clear(FIRST_IRQ_VECTOR);
	irqs_on();
	spin_ms(20);
	check_eq("without a gate it waits", irq_count[0], n);
	idt_defaults();
	check(arrives(n), "until there is one");

	n = irq_count[0];
	make_pending();
	idt_set(FIRST_IRQ_VECTOR, trap_stubs[FIRST_IRQ_VECTOR], GATE_TRAP, 1);
	irqs_on();
	check(arrives(n), "a trap gate will do");
	check_eq("  and leaves irq_enabled on", enabled_inside, X86_EFLAGS_IF);
	idt_defaults();

	if (!genuine()) {
		n = irq_count[0];
		make_pending();
		lguest_data.irq_enabled = 2;
		spin_ms(20);
		check_eq("only bit 9 of irq_enabled counts", irq_count[0], n);
		irqs_on();
		arrives(n);
	} else {
		check_skip("only bit 9 of irq_enabled counts",
			   "the genuine one takes any");
	}
	irqs_off();
}

/* Linger between noirq_start and noirq_end with an interrupt pending. */
static void check_noirq(void)
{
	u32 n = irq_count[0], loops = clock_ticks_per_ms() * 20;

	make_pending();
	in_noirq = 0;
	/* The store and the call are outside: whether it slips in there does
	 * not matter, so it takes a few tries to be held back at all. */
	irqs_on();
	asm volatile("call *%1" : "+a"(loops) : "r"(noirq_spin) : "cc");
	check(arrives(n), "delivered outside the noirq range");
	n = irq_count[0];
	irqs_off();
	clock_arm_us(3000);
	irqs_on();
	loops = clock_ticks_per_ms() * 20;
	asm volatile("call *%1" : "+a"(loops) : "r"(noirq_spin) : "cc");
	check(arrives(n), "also when it came due inside");
	check_eq("never inside the noirq range", in_noirq, 0);
	irqs_off();
}

static void check_clock(void)
{
	u32 n, i;
	s32 sec;
	s32 nsec;
	u64 start;

	irqs_on();
	n = irq_count[0];
	clock_arm_us(2000);
	check(arrives(n), "the clock goes off");
	spin_ms(30);
	check_eq("  once", irq_count[0], n + 1);

	/* Unless a busy machine took that long from one to the other. */
	i = 0;
	do {
		n = irq_count[0];
		start = rdtsc();
		clock_arm_us(20000);
		clock_cancel();
		start = rdtsc() - start;
		spin_ms(60);
	} while (start > clock_ticks_per_ms() * 10ULL && ++i < 20);
	check_eq("0 cancels it", irq_count[0], n);

	clock_arm_us(1000000);
	clock_arm_us(2000);
	check(arrives(n), "setting it again replaces the first");
	spin_ms(30);
	check_eq("  once", irq_count[0], n + 1);

	n = irq_count[0];
	hcall(LHCALL_SET_CLOCKEVENT, 100, 0, 0);
	check(arrives(n), "the shortest delay");

	/* Not early, and the time of day moves along. */
	n = irq_count[0];
	sec = lguest_data.time_sec;
	nsec = lguest_data.time_nsec;
	start = rdtsc();
	clock_arm_us(100000);
	check(arrives(n), "a tenth of a second");
	check(div_u64(rdtsc() - start, clock_ticks_per_ms(), NULL) >= 60,
	      "  is not over early");
	i = (lguest_data.time_sec - sec) * 1000 +
		(lguest_data.time_nsec - nsec) / 1000000;
	check(i >= 95 && i < 5000, "  shows in lguest_data.time");
	if (lguest_data.tsc_khz) {
		i = clock_ticks_per_ms();
		check(i > lguest_data.tsc_khz / 2 && i / 2 < lguest_data.tsc_khz,
		      "tsc_khz is the rate of the TSC");
	}
	irqs_off();
}

static void on_clock_later_again(struct trap_frame *f)
{
	on_clock(f);
	clock_arm_us(20000);
}

static void check_halt(void)
{
	u32 n = irq_count[0], i;

	/*
	 * On a busy machine the clock may come before the HALT, which would
	 * sleep for ever then: there is another one.
	 */
	irq_set_handler(0, on_clock_later_again);
	irqs_on();
	clock_arm_us(5000);
	hcall(LHCALL_HALT, 0, 0, 0);
	check(irq_count[0] > n, "HALT sleeps until the clock");
	check_eq("  interrupts stay on", lguest_data.irq_enabled,
		 X86_EFLAGS_IF);
	irqs_off();
	irq_set_handler(0, on_clock);
	settle();

	irqs_off();
	n = irq_count[0];
	clock_arm_us(5000);
	hcall(LHCALL_HALT, 0, 0, 0);
	check_eq("HALT with interrupts off wakes too", irq_count[0], n + 1);
	check_eq("  the frame has them on", last.eflags & X86_EFLAGS_IF,
		 X86_EFLAGS_IF);
	check_eq("  and so they are", lguest_data.irq_enabled, X86_EFLAGS_IF);

	make_pending();
	n = irq_count[0];
	hcall(LHCALL_HALT, 0, 0, 0);
	check_eq("HALT with one pending does not sleep", irq_count[0], n + 1);

	n = irq_count[0];
	for (i = 0; i < 50; i++) {
		/*
		 * HALT left them on.  A clock that comes before the next HALT
		 * must wait for it, or that HALT would sleep for ever.
		 */
		irqs_off();
		clock_arm_us(500);
		hcall(LHCALL_HALT, 0, 0, 0);
	}
	check_eq("fifty times", irq_count[0], n + 50);
	irqs_off();
}

/* In the handler, interrupts are off until its iret. */
static void on_clock_nesting(struct trap_frame *f)
{
	on_clock(f);
	if (!depth && !nested) {
		depth++;
		clock_arm_us(1000);
		spin_ms(20);
		depth--;
	}
}

static void check_nesting(void)
{
	u32 n = irq_count[0], ms;

	irq_set_handler(0, on_clock_nesting);
	nested = 0;
	irqs_on();
	clock_arm_us(1000);
	for (ms = 0; ms < 500 && irq_count[0] < n + 2; ms++)
		spin_ms(1);
	irqs_off();
	irq_set_handler(0, on_clock);
	clock_cancel();
	check(irq_count[0] >= n + 2, "an interrupt pending in the handler");
	check_eq("  waits for its iret", nested, 0);
}

/* Interrupt a loop in ring 3 and see that it does not notice. */
SNIPPET(snip_loop, "1: addl $1, %ecx; cmpl $0, (%edi); je 1b");

static void on_clock_user(struct trap_frame *f)
{
	on_clock(f);
	*(u32 *)frames[0] = 1;
}

static void check_from(u32 ring)
{
	struct probe_state s;
	struct probe_result r;
	u32 n, tries = 0;

	set_pte(USER_PAGES, frame_pte(0, 7));
	irq_set_handler(0, on_clock_user);
	probe_defaults(&s, snip_loop, ring);
	s.edi = USER_PAGES;
	s.esi = 0x11111111;
	s.ebp = 0x22222222;
	s.eax = 0x33333333;
	s.ebx = 0x44444444;
	s.edx = 0x55555555;
	/* On a busy machine the clock may come before the loop: again. */
	do {
		n = irq_count[0];
		*(u32 *)frames[0] = 0;
		irqs_off();
		clock_arm_us(3000);
		irqs_on();
		probe_run(&s, &r);
		irqs_off();
	} while (last.cs != s.cs && ++tries < 10);
	irq_set_handler(0, on_clock);
	printf("from ring %u:\n", ring);
	check_eq("a loop is interrupted", irq_count[0], n + 1);
	check(r.vector == SYSCALL_VECTOR && r.s.esi == s.esi &&
	      r.s.ebp == s.ebp && r.s.eax == s.eax && r.s.ebx == s.ebx &&
	      r.s.edx == s.edx && r.s.esp == s.esp && r.s.ecx > 0,
	      "  and goes on with its registers");
	check_eq("  frame's cs", last.cs, s.cs);
	if (ring == 3) {
		check_eq("  frame's ss", last.ss, USER_DS);
		check_eq("  frame's esp", last.esp, s.esp);
		check_eq("  ds of ring 3", last.ds & 0xFFFF, USER_DS);
	}
}

/*
 * Interrupts as often as they will come must not show in a computation that
 * carries its flags, its vectors and its x87 stack from one round to the next,
 * nor in a long string move.
 */
SNIPPET(snip_long, "fninit; fld1; fldz; movd %ebx, %xmm0; movd %edx, %xmm1; clc;"
	"1: adcl %ecx, %eax; rcll $3, %edx; adcl %edx, %ebx; sbbl $5, %esi;"
	"fadd %st(1), %st; paddd %xmm1, %xmm0; movw %ax, %di;"
	"leal -1(%ecx), %ecx; jecxz 2f; jmp 1b;"
	"2: pushfl; popl %edi; movd %xmm0, %ebp; fistpl (%esp); fstp %st(0);"
	"addl (%esp), %ebp");
SNIPPET(snip_move, "rep movsb");

static void on_clock_again(struct trap_frame *f)
{
	on_clock(f);
	clock_arm_us(50);
}

static void check_transparent(u32 ring)
{
	struct probe_state s;
	struct probe_result quiet, busy;
	u32 n = irq_count[0], i, tries = 0;
	u8 *from = virt(8 << 20), *to = virt(10 << 20);
	u32 size = 1 << 20;
	bool same;

	probe_defaults(&s, snip_long, ring);
	s.ecx = 200000;
	s.edx = 0x12345679;
	s.ebx = 0x9ABCDEF1;
	irqs_off();
	probe_run(&s, &quiet);
	irq_set_handler(0, on_clock_again);
	/* A fast machine is through before the first one: again. */
	do {
		clock_arm_us(50);
		irqs_on();
		probe_run(&s, &busy);
		irqs_off();
		same = !memcmp(&quiet.s.eax, &busy.s.eax, 8 * 4) &&
			!((quiet.s.eflags ^ busy.s.eflags) & X86_EFLAGS_ARITH);
	} while (same && ++tries < 200 && irq_count[0] - n < 5);
	clock_cancel();
	check(irq_count[0] - n >= 5, "interrupted often");
	check(same, "  a long computation does not notice");

	for (i = 0; i < size; i += 4) {
		*(u32 *)(from + i) = i * 2654435761U;
		*(u32 *)(to + i) = 0;
	}
	probe_defaults(&s, snip_move, ring);
	tries = 0;
	n = irq_count[0];
	do {
		s.ecx = size;
		s.esi = (u32)from;
		s.edi = (u32)to;
		clock_arm_us(50);
		irqs_on();
		probe_run(&s, &busy);
		irqs_off();
		same = busy.s.ecx == 0 && busy.s.esi == (u32)from + size &&
			busy.s.edi == (u32)to + size &&
			!memcmp(from, to, size);
	} while (same && ++tries < 50 && irq_count[0] - n < 3);
	clock_cancel();
	irq_set_handler(0, on_clock);
	check(same, "  nor does a long rep movs");
}

void guest_main(void)
{
	irqs_off();
	irq_set_handler(0, on_clock);
	clock_init();
	printf("TSC ticks per ms: %u\n", clock_ticks_per_ms());
	check_masks();
	settle();
	check_noirq();
	settle();
	check_clock();
	settle();
	check_halt();
	settle();
	check_nesting();
	settle();
	check_from(1);
	settle();
	check_from(3);
	settle();
	check_transparent(1);
	settle();
	check_transparent(3);
	check_finish();
}
