/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "Run this code with these registers in that ring, and tell me how it ended."
 * A snippet ends by `int $0x80` or by any trap; either way every register as
 * it was then comes back.
 */
#ifndef GUEST_PROBE_H
#define GUEST_PROBE_H
#include "traps.h"

struct probe_state {
	/* In the order in which probe-asm.S loads them. */
	u32 eax, ecx, edx, ebx, esp, ebp, esi, edi;
	u32 eip, eflags;
	u16 cs, ss, ds, es, fs, gs;
};

struct probe_result {
	u32 vector, error, cr2;
	struct probe_state s;
	/* The frame's own address and pushed eflags, IF bit included. */
	u32 frame;
};

#define SYSCALL_DONE 0x80

/* Plain segments, arithmetic flags zero, the ring's default stack. */
void probe_defaults(struct probe_state *s, const void *code, u32 ring);
/* Changes nothing but *r.  Interrupts stay as they are. */
void probe_run(const struct probe_state *s, struct probe_result *r);
/* Short for both, with defaults. */
void probe(const void *code, u32 ring, struct probe_result *r);
/* Where a snippet appears to ring 3, and back. */
u32 user_alias(const void *snippet);

extern u8 snippets_start[], snippets_end[];
extern u8 probe_stack[], probe_stack_top[];

void probe_trap(struct trap_frame *f);

/*
 * A snippet in line with the C that runs it.  It lives in a section of its own
 * which ring 3 sees at USER_CODE.
 */
#define SNIPPET(name, code)						\
	extern const u8 name[];						\
	asm(".pushsection .snippets, \"ax\"\n"				\
	    #name ":\n" code "\n\tint $0x80\n"				\
	    ".popsection")

#endif
