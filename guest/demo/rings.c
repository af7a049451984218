/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Below us and beside us: a program in ring 3 with system calls, and faults of
 * our own, caught and shown.
 */
#include "demo.h"
#include "mm.h"
#include "probe.h"

extern const u8 user_program[];

static const char *const trap_names[20] = {
	"divide error", "debug", "NMI", "breakpoint", "overflow",
	"bound range exceeded", "invalid opcode", "device not available",
	"double fault", NULL, "invalid TSS", "segment not present",
	"stack fault", "general protection", "page fault", NULL,
	"x87 exception", "alignment check", "machine check", "SSE exception",
};

static void report(const struct probe_result *r)
{
	printf("  trap %u, %s, at %08x in ring %u, error code 0x%x\n",
	       r->vector, r->vector < 20 && trap_names[r->vector] ?
	       trap_names[r->vector] : "?", r->s.eip, r->s.cs & 3, r->error);
	if (r->vector == 14)
		printf("  address %08x: %s by %s of %s page\n", r->cr2,
		       r->error & 2 ? "written" : "read",
		       r->error & 4 ? "a user program" : "the kernel",
		       r->error & 1 ? "a protected" : "an absent");
	printf("  eax %08x ecx %08x edx %08x ebx %08x\n", r->s.eax, r->s.ecx,
	       r->s.edx, r->s.ebx);
	printf("  esp %08x ebp %08x esi %08x edi %08x eflags %08x\n",
	       r->s.esp, r->s.ebp, r->s.esi, r->s.edi, r->s.eflags);
}

static u32 calls;

/* Would the program's memory bear that access? */
static bool user_range(u32 addr, u32 len)
{
	return addr >= USER_BASE && len <= 4096 &&
		addr - USER_BASE <= 0x400000 - len;
}

/* The kernel's side of `int $0x80`; exit is left to the probe. */
static bool system_call(struct trap_frame *f)
{
	if (f->vector != SYSCALL_VECTOR || (f->cs & 3) != 3)
		return false;
	calls++;
	switch (f->eax) {
	case 1:
		return false;
	case 4:
		if (user_range(f->ebx, f->ecx)) {
			console_write((const char *)f->ebx, f->ecx);
			f->eax = f->ecx;
		} else {
			f->eax = -14;
		}
		return true;
	case 20:
		f->eax = 1;
		return true;
	}
	f->eax = -38;
	return true;
}

void cmd_user(const char *args)
{
	struct probe_result r;

	calls = 0;
	printf("Starting a program in ring 3, at %08x:\n",
	       user_alias(user_program));
	trap_hook = system_call;
	probe(user_program, 3, &r);
	trap_hook = NULL;
	if (r.vector == SYSCALL_VECTOR)
		printf("It ended with status %u", r.s.ebx);
	else
		printf("...and the processor objects:\n"), report(&r);
	printf("%u system calls, none of which the host noticed.\n", calls);
}

SNIPPET(fault_read, "movl 0x0BADBEEF, %eax");
SNIPPET(fault_write, "movl %eax, 0x1000");
SNIPPET(fault_jump, "movl $0x0BADC0DE, %eax; jmp *%eax");
SNIPPET(fault_divide, "xorl %ecx, %ecx; divl %ecx");
SNIPPET(fault_opcode, "ud2");
SNIPPET(fault_privileged, "movl %cr3, %eax");
SNIPPET(fault_segment, "movl $0x100, %eax; movw %ax, %ds");

void cmd_fault(const char *args)
{
	static const struct { const char *name; const u8 *code; } kinds[] = {
		{ "read", fault_read }, { "write", fault_write },
		{ "jump", fault_jump }, { "divide", fault_divide },
		{ "opcode", fault_opcode },
		{ "privileged", fault_privileged },
		{ "segment", fault_segment },
	};
	struct probe_result r;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(kinds[i].name, *args ? args : "read"))
			continue;
		printf("Taking a fault on purpose:\n");
		probe(kinds[i].code, 1, &r);
		report(&r);
		printf("Survived.\n");
		return;
	}
	printf("fault what?");
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		printf(" %s", kinds[i].name);
	printf("\n");
}
