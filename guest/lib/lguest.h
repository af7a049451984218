/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lguest ABI of Linux 2.6.23 as a guest sees it: call numbers, selectors
 * and the structures it shares with the host.  Also used from assembly.
 */
#ifndef GUEST_LGUEST_H
#define GUEST_LGUEST_H

#define LHCALL_FLUSH_ASYNC	0
#define LHCALL_LGUEST_INIT	1
#define LHCALL_CRASH		2
#define LHCALL_LOAD_GDT		3
#define LHCALL_NEW_PGTABLE	4
#define LHCALL_FLUSH_TLB	5
#define LHCALL_LOAD_IDT_ENTRY	6
#define LHCALL_SET_STACK	7
#define LHCALL_TS		8
#ifdef GENERATION_2007_02
/* The first generation kept a periodic tick and a call for the date. */
#define LHCALL_TIMER_READ	9
#define LHCALL_TIMER_START	10
#define LHCALL_HALT		11
#define LHCALL_GET_WALLCLOCK	12
#define LHCALL_BIND_DMA		13
#define LHCALL_SEND_DMA		14
#define LHCALL_SET_PTE		15
#define LHCALL_SET_PMD		16
#define LHCALL_LOAD_TLS		17
#define CONSOLE_KEY		4
#else
#define LHCALL_SET_CLOCKEVENT	9
#define LHCALL_HALT		10
#define LHCALL_BIND_DMA		12
#define LHCALL_SEND_DMA		13
#define LHCALL_SET_PTE		14
#define LHCALL_SET_PMD		15
#define LHCALL_LOAD_TLS		16
#define CONSOLE_KEY		0
#endif

#define LGUEST_TRAP_ENTRY	0x1F	/* the vector of a hypercall */
#define FIRST_IRQ_VECTOR	32
#define LGUEST_IRQS		32
#define SYSCALL_VECTOR		0x80

/* Linux 2.6.23's GDT, which the ABI inherits: 32 entries, these among them. */
#define GDT_ENTRIES		32
#define GDT_ENTRY_TLS_MIN	6
#define KERNEL_CS		0x61	/* entry 12, privilege level 1 */
#define KERNEL_DS		0x69	/* entry 13 */
#define USER_CS			0x73	/* entry 14, privilege level 3 */
#define USER_DS			0x7b	/* entry 15 */

#define X86_EFLAGS_CF		0x001
#define X86_EFLAGS_PF		0x004
#define X86_EFLAGS_AF		0x010
#define X86_EFLAGS_ZF		0x040
#define X86_EFLAGS_SF		0x080
#define X86_EFLAGS_TF		0x100
#define X86_EFLAGS_IF		0x200
#define X86_EFLAGS_DF		0x400
#define X86_EFLAGS_OF		0x800
#define X86_EFLAGS_NT		0x4000
#define X86_EFLAGS_AC		0x40000
#define X86_EFLAGS_ID		0x200000
#define X86_EFLAGS_ARITH	0x8D5

#define PAGE_SIZE		4096
#define PTE_P			0x001
#define PTE_W			0x002
#define PTE_U			0x004
#define PTE_PWT			0x008
#define PTE_PCD			0x010
#define PTE_A			0x020
#define PTE_D			0x040
#define PTE_PSE			0x080
#define PTE_G			0x100

#ifndef __ASSEMBLY__
#include "types.h"

#define LHCALL_RING_SIZE	64

struct hcall_args {
	u32 eax, edx, ebx, ecx;
};

/*
 * The page both sides write.  The compiler must not cache what the host
 * changes behind its back, hence the volatile.
 */
struct lguest_data {
	u32 irq_enabled;
	u32 blocked_interrupts;
	u32 cr2;
	s32 time_sec, time_nsec;
	u8 hcall_status[LHCALL_RING_SIZE];
	struct hcall_args hcalls[LHCALL_RING_SIZE];
	u32 reserve_mem;
	u16 guestid, pad;
	u32 tsc_khz;
	u32 noirq_start, noirq_end;
};
extern volatile struct lguest_data lguest_data;

#define LGUEST_MAX_DMA_SECTIONS	16

struct lguest_dma {
	u32 used_len;
	u32 addr[LGUEST_MAX_DMA_SECTIONS];
	u16 len[LGUEST_MAX_DMA_SECTIONS];
};

#define DEVICE_CONSOLE		1
#define DEVICE_NET		2
#define DEVICE_BLOCK		3
#define MAX_DEVICES		16

#define STATUS_ACKNOWLEDGE	1
#define STATUS_DRIVER		2
#define STATUS_DRIVER_OK	4

struct lguest_device_desc {
	u16 type, features, status, num_pages;
	u32 pfn;
};

struct lguest_block_page {
	s32 type;			/* 0 read, 1 write */
	u32 sector, bytes;
	s32 result;			/* 0 pending, 1 done, 2 failed */
	u32 num_sectors;
};

#endif /* __ASSEMBLY__ */
#endif
