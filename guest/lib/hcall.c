/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hcall.h"
#include "string.h"

volatile struct lguest_data lguest_data __attribute__((aligned(4096)));

/* traps-asm.S: from here to there our iret has already published the new flag. */
extern const u8 noirq_start[], noirq_end[];

/* The host keeps its own cursor; ours must walk in step. */
static u32 next_slot;

/* [G:120+11] Introducing oneself
 * The first call, before which no other is allowed, says where lguest_data is.
 * The guest fills in what is its own: an empty ring, and the stretch of code
 * in which it must not be interrupted (you will see why at [G:180]). The host
 * fills in the rest: how much of the top of the address space is its own, how
 * fast the time stamp counter runs, and what time it is.
 */
void hcall_init(void)
{
	u32 i;

	for (i = 0; i < LHCALL_RING_SIZE; i++)
		lguest_data.hcall_status[i] = 0xFF;
	lguest_data.noirq_start = (u32)noirq_start;
	lguest_data.noirq_end = (u32)noirq_end;
	hcall(LHCALL_LGUEST_INIT, phys(&lguest_data), 0, 0);
}

/* [G:130+16] Asking later
 * A kernel that switches from one program to another loads the thread's
 * segments, a stack, page tables: one call each, and none is urgent. They go
 * into the ring, in order; the status byte is written last, since it is what
 * hands the slot over. The host carries them out before the next call that
 * does not wait.
 */
void hcall_async(u32 call, u32 a1, u32 a2, u32 a3)
{
	volatile struct hcall_args *slot = &lguest_data.hcalls[next_slot];

	if (lguest_data.hcall_status[next_slot] != 0xFF) {
		hcall(call, a1, a2, a3);
		return;
	}
	slot->eax = call;
	slot->edx = a1;
	slot->ebx = a2;
	slot->ecx = a3;
	barrier();
	lguest_data.hcall_status[next_slot] = 0;
	next_slot = (next_slot + 1) % LHCALL_RING_SIZE;
}

noreturn void crash(const char *reason)
{
	/* The host reads 128 bytes whatever the text's length. */
	static char text[128];

	memcpy(text, reason, strlen(reason) < 127 ? strlen(reason) + 1 : 127);
	for (;;)
		hcall(LHCALL_CRASH, phys(text), 0, 0);
}

/* [G:230+4] Switching off
 * There is no power to switch off. A guest that is done dies of a reason that
 * every launcher knows.
 */
noreturn void power_off(void)
{
	crash("Power down");
}
