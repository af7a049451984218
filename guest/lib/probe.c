/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe.h"
#include "hcall.h"
#include "mm.h"
#include "string.h"

/* Shared with probe-asm.S. */
struct probe_state probe_in;
u32 *probe_frame;
void probe_enter(void);
noreturn void probe_resume(void);

static struct probe_result *active;

u32 user_alias(const void *snippet)
{
	return (u32)snippet - (u32)snippets_start + USER_CODE;
}

void probe_defaults(struct probe_state *s, const void *code, u32 ring)
{
	memset(s, 0, sizeof(*s));
	s->eflags = 2;
	if (ring == 3) {
		s->eip = user_alias(code);
		s->cs = USER_CS;
		s->ss = s->ds = s->es = USER_DS;
		s->esp = USER_STACK_TOP - 1024;
	} else {
		s->eip = (u32)code;
		s->cs = KERNEL_CS;
		s->ss = s->ds = s->es = KERNEL_DS;
		s->esp = (u32)probe_stack_top - 1024;
	}
}

void probe_run(const struct probe_state *s, struct probe_result *r)
{
	static u32 frame3[1024];

	probe_in = *s;
	/* To the outer ring iret also pops a stack; within the ring the frame
	 * has to lie just below where %esp shall end up. */
	if ((s->cs & 3) == 3) {
		probe_frame = &frame3[1000];
		probe_frame[3] = s->esp;
		probe_frame[4] = s->ss;
	} else {
		probe_frame = (u32 *)s->esp - 3;
	}
	probe_frame[0] = s->eip;
	probe_frame[1] = s->cs;
	probe_frame[2] = s->eflags;
	memset(r, 0, sizeof(*r));
	active = r;
	probe_enter();
}

void probe(const void *code, u32 ring, struct probe_result *r)
{
	struct probe_state s;

	probe_defaults(&s, code, ring);
	probe_run(&s, r);
}

void probe_trap(struct trap_frame *f)
{
	struct probe_result *r = active;

	if (!r)
		return;
	active = NULL;
	r->vector = f->vector;
	r->error = f->error;
	r->cr2 = lguest_data.cr2;
	r->frame = (u32)&f->eip;
	r->s.eax = f->eax;
	r->s.ecx = f->ecx;
	r->s.edx = f->edx;
	r->s.ebx = f->ebx;
	r->s.ebp = f->ebp;
	r->s.esi = f->esi;
	r->s.edi = f->edi;
	r->s.eip = f->eip;
	r->s.eflags = f->eflags;
	r->s.cs = f->cs;
	r->s.ds = f->ds;
	r->s.es = f->es;
	r->s.fs = f->fs;
	r->s.gs = f->gs;
	if ((f->cs & 3) == 3) {
		r->s.esp = f->esp;
		r->s.ss = f->ss;
	} else {
		/* Nothing was pushed for the stack: it is where we are. */
		u16 ss;

		asm("movw %%ss, %0" : "=m"(ss));
		r->s.esp = (u32)&f->esp;
		r->s.ss = ss;
	}
	probe_resume();
}
