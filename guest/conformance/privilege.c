/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rings 1 and 3: what is refused (the table), what is emulated, what is
 * silently ignored, and how one gets from one ring to the other.
 */
#include "cases.h"
#include "check.h"
#include "mm.h"
#include "probe.h"

static void run(const u8 *code, u32 ring, u32 eax, struct probe_result *r)
{
	struct probe_state s;

	probe_defaults(&s, code, ring);
	s.eax = eax;
	s.edx = 0x12340070;
	s.ecx = 0x99887766;
	s.ebx = P_RW;
	s.edi = P_RW;
	s.eflags = 2 | X86_EFLAGS_CF | X86_EFLAGS_ZF;
	probe_run(&s, r);
}

/* ---- ports ---- */

SNIPPET(snip_inb_imm, "inb $0x71, %al");
SNIPPET(snip_inb, "inb %dx, %al");
SNIPPET(snip_inw, "inw %dx, %ax");
SNIPPET(snip_inw_imm, "inw $0x71, %ax");
SNIPPET(snip_inl, "inl %dx, %eax");
SNIPPET(snip_inl_imm, "inl $0x71, %eax");
SNIPPET(snip_outs, "outb %al, $0x80; outb %al, %dx; outw %ax, %dx;"
	"outl %eax, %dx; outl %eax, $0x80");

static void check_in(const char *name, const u8 *code, u32 mask, u32 promised)
{
	struct probe_result r;
	u32 want = (0x11223344 & ~mask) | mask;

	run(code, 1, 0x11223344, &r);
	/* The genuine one fills more than the operand. */
	if (genuine())
		r.s.eax = (r.s.eax & promised) | (want & ~promised);
	check(r.vector == SYSCALL_VECTOR && r.s.eax == want, name);
	check(r.s.ecx == 0x99887766 && r.s.edx == 0x12340070 &&
	      (r.s.eflags & X86_EFLAGS_ARITH) ==
	      (X86_EFLAGS_CF | X86_EFLAGS_ZF), "  and nothing else");
}

static void check_ports(void)
{
	struct probe_result r;

	check_in("inb imm reads ones", snip_inb_imm, 0xFF, 0xFF);
	check_in("inb reads ones", snip_inb, 0xFF, 0xFF);
	check_in("inw reads ones", snip_inw, 0xFFFF, 0xFFFF);
	check_in("inw imm reads ones", snip_inw_imm, 0xFFFF, 0xFFFF);
	check_in("inl reads ones", snip_inl, ~0U, ~0U);
	check_in("inl imm reads ones", snip_inl_imm, ~0U, ~0U);
	run(snip_outs, 1, 0x11223344, &r);
	check(r.vector == SYSCALL_VECTOR && r.s.eax == 0x11223344,
	      "out goes nowhere");
}

/* ---- flags that may not change ---- */

SNIPPET(snip_popf_0, "pushl $2; popfl; pushfl; popl %eax");
SNIPPET(snip_popf_all, "pushl $0x207cd7; popfl; pushfl; popl %eax;"
	"pushl $2; popfl");
SNIPPET(snip_popfw, "pushw $2; popfw; pushfl; popl %eax");
SNIPPET(snip_ac, "pushl $0x40002; popfl; pushfl; popl %eax; pushl $2; popfl");
SNIPPET(snip_pushfw, "pushfl; popl %ecx; pushfw; popw %ax");
SNIPPET(snip_sahf, "movl $0xff00, %eax; sahf; lahf; pushfl; popl %ecx");
SNIPPET(snip_iret_flags, "pushl $0x3cd7; pushl %cs; call 1f; jmp 2f;"
	"1: iret; 2: pushfl; popl %eax; cld");

static void check_flags(u32 ring)
{
	struct probe_result r;

	printf("ring %u:\n", ring);
	run(snip_popf_0, ring, 0, &r);
	check_eq("popf cannot clear IF", r.s.eax, 0x202);
	run(snip_popf_all, ring, 0, &r);
	/* IOPL stays 0; NT and ID are anybody's. */
	check_eq("popf cannot set IOPL", r.s.eax, 0x204ed7);
	run(snip_popfw, ring, 0, &r);
	check_eq("popfw cannot clear IF", r.s.eax, 0x202);
	run(snip_ac, ring, 0, &r);
	check_eq("AC can be set", r.s.eax, 0x40202);
	run(snip_pushfw, ring, 0, &r);
	check_eq("pushfw agrees with pushf", r.s.eax & 0xFFFF,
		 r.s.ecx & 0xFFFF);
	run(snip_sahf, ring, 0, &r);
	check_eq("lahf after sahf", r.s.eax & 0xFF00, 0xD700);
	check_eq("sahf leaves OF", r.s.ecx & 0xAD7, 0x2D7);
	run(snip_iret_flags, ring, 0, &r);
	check_eq("iret cannot change IF nor IOPL", r.s.eax, 0xED7);
	irqs_off();
	run(snip_popf_0, ring, 0, &r);
	check_eq("pushf does not know of irq_enabled", r.s.eax, 0x202);
}

/* ---- instructions which tell too much, but are not privileged ---- */

SNIPPET(snip_sgdt, "sgdtl (%ebx)");
SNIPPET(snip_sidt, "sidtl (%ebx)");
SNIPPET(snip_smsw, "smsw %eax");
SNIPPET(snip_sldt, "sldt %eax");
SNIPPET(snip_str, "str %eax");

static void check_sensitive(u32 ring)
{
	struct probe_result r;

	printf("ring %u:\n", ring);
	run(snip_sgdt, ring, 0, &r);
	check_eq("sgdt is not refused", r.vector, SYSCALL_VECTOR);
	run(snip_sidt, ring, 0, &r);
	check_eq("sidt is not refused", r.vector, SYSCALL_VECTOR);
	run(snip_str, ring, 0, &r);
	check_eq("str is not refused", r.vector, SYSCALL_VECTOR);
	run(snip_smsw, ring, 0, &r);
	check(r.vector == SYSCALL_VECTOR && (r.s.eax & 1),
	      "smsw shows protected mode");
	run(snip_sldt, ring, 0xFFFF, &r);
	check(r.vector == SYSCALL_VECTOR && !(r.s.eax & 0xFFFF),
	      "sldt: there is no LDT");
}

/* ---- system calls ---- */

SNIPPET(snip_syscalls,
	"movl $1, %eax; int $0x80; addl %eax, %ecx;"
	"movl $2, %eax; int $0x80; addl %eax, %ecx;"
	"movl $3, %eax; int $0x80; addl %eax, %ecx; movl $0, %eax");

static u32 calls;

/* A kernel of one system call: ten times the argument. */
static bool serve(struct trap_frame *f)
{
	if (f->vector != SYSCALL_VECTOR || !f->eax)
		return false;
	calls++;
	f->eax *= 10;
	return true;
}

static void check_syscalls(void)
{
	struct probe_state s;
	struct probe_result r;
	u32 ring;

	for (ring = 1; ring <= 3; ring += 2) {
		calls = 0;
		probe_defaults(&s, snip_syscalls, ring);
		s.ebx = 0xB0B0B0B0;
		s.esi = 0x51515151;
		s.eflags = 2;
		trap_hook = serve;
		probe_run(&s, &r);
		trap_hook = NULL;
		check_eq("three system calls", calls, 3);
		check_eq("  their results", r.s.ecx, 60);
		check(r.s.ebx == s.ebx && r.s.esi == s.esi &&
		      r.s.esp == s.esp, "  other registers");
		check_eq("  cs in the frame", r.s.cs, s.cs);
		check_eq("  ss in the frame", r.s.ss, s.ss);
	}
}

/* A trap gate from ring 3 must not lose data segments nor flags. */
SNIPPET(snip_df, "std; int $0x80");

static void check_frame_flags(void)
{
	struct probe_result r;

	run(snip_df, 3, 0, &r);
	check(r.s.eflags & X86_EFLAGS_DF, "DF of ring 3 is in the frame");
	check(r.s.eflags & X86_EFLAGS_CF, "CF too");
	check_eq("IOPL 0 in the frame", r.s.eflags & 0x3000, 0);
}

void guest_main(void)
{
	cases_map();
	cases_run();
	check_ports();
	check_flags(1);
	check_flags(3);
	check_sensitive(1);
	check_sensitive(3);
	check_syscalls();
	check_frame_flags();
	check_finish();
}
