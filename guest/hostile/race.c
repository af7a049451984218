/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two hostile guests on one file of --sharenet, whose page both can write.  The
 * one with `mode=write` changes code in that page all the time, MOV into SYSCALL
 * and back; the one with `mode=run` executes it.  An engine that judges one of
 * them and runs the other makes a system call of the host's, with the guest's
 * registers: exit_group(77) by default, so that its launcher ends with status
 * 77; `call=39` asks for the launcher's process number instead.
 *
 * `rounds=N` says how often to execute it.
 */
#include "check.h"
#include "device.h"
#include "mm.h"
#include "net.h"
#include "probe.h"
#include "traps.h"

#define MOV_EAX_ECX	0xC889
#define SYSCALL		0x050F
#define RET		0xC3
#define SITES		24
#define FIRST		0x602
/* The other end of the network's page: who is ready. */
#define SIGN		0x700
#define RUNNER_IS_HERE	2
#define WRITER_IS_HERE	1
#define EXIT_GROUP	231
#define ESCAPED		77

static u8 buffers[NET_RING][2048] page_aligned;
static volatile u8 *page;
static u32 undefined, others;

extern void landing(void);
asm(".text\n.globl landing\nlanding: ret\n");

static bool mode_is(const char *name)
{
	const char *mode = option_value("mode");

	return mode && mode[0] == name[0];
}

static u32 number(const char *name, u32 otherwise)
{
	const char *s = option_value(name);
	u32 value = 0;

	if (!s)
		return otherwise;
	while (*s >= '0' && *s <= '9')
		value = value * 10 + *s++ - '0';
	return value;
}

/* Whatever went wrong in the page, the call is over. */
static bool leave_page(struct trap_frame *f)
{
	if (f->eip < (u32)page || f->eip >= (u32)page + PAGE_SIZE)
		return false;
	if (f->vector == 6)
		undefined++;
	else
		others++;
	f->eip = (u32)landing;
	return true;
}

static volatile u16 *site(u32 i)
{
	return (volatile u16 *)(page + FIRST + 2 * i);
}

static volatile u32 *sign(void)
{
	return (volatile u32 *)(page + SIGN);
}

static noreturn void write_for_ever(void)
{
	u32 i;

	while (*sign() != RUNNER_IS_HERE)
		hcall(LHCALL_FLUSH_ASYNC, 0, 0, 0);
	for (i = 0; i < SITES; i++)
		*site(i) = MOV_EAX_ECX;
	page[FIRST + 2 * SITES] = RET;
	*sign() = WRITER_IS_HERE;
	for (;;) {
		/* Asked again: see run(). */
		if (*sign() == RUNNER_IS_HERE)
			*sign() = WRITER_IS_HERE;
		for (i = 0; i < SITES; i++)
			*site(i) = SYSCALL;
		for (i = 0; i < SITES; i++)
			*site(i) = MOV_EAX_ECX;
	}
}

static void run(u32 rounds, u32 call)
{
	u32 i, k, strange = 0;

	/* Asked until it answers: under --engine=check each write is made, taken
	 * back and made again, and an answer that came in between is lost. */
	do {
		*sign() = RUNNER_IS_HERE;
		hcall(LHCALL_FLUSH_ASYNC, 0, 0, 0);
	} while (*sign() != WRITER_IS_HERE);
	for (i = 0; i < rounds; i++) {
		u32 eax = call, ecx = call, edx = 0, esi = 0;

		/* Written by this guest too: what an engine keeps of the page goes. */
		for (k = 0; k < SITES; k++)
			*site(k) = MOV_EAX_ECX;
		asm volatile("call *%%ebx"
			     : "+a" (eax), "+c" (ecx), "+d" (edx), "+S" (esi)
			     : "b" (site(i % SITES)), "D" (ESCAPED)
			     : "memory", "cc");
		if (eax != call && ++strange < 10)
			printf("%%eax became %u\n", eax);
	}
	check_eq("results that no instruction of the page's gives", strange, 0);
	check_eq("traps other than #UD", others, 0);
	printf("%u rounds, #UD %u times\n", rounds, undefined);
}

void guest_main(void)
{
	struct net n;

	if (!check(net_open(&n, 0, buffers), "there is a network"))
		check_finish();
	page = (volatile u8 *)n.peer;
	trap_hook = leave_page;
	if (mode_is("write"))
		write_for_ever();
	run(number("rounds", 20000), number("call", EXIT_GROUP));
	check_finish();
}
