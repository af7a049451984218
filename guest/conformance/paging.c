/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's page tables are the law, once the host has been told: accessed
 * and dirty bits, changed entries, changed directories, aliases.
 */
#include "cases.h"
#include "check.h"
#include "mm.h"
#include "probe.h"

SNIPPET(snip_read, "movl (%ebx), %eax");
SNIPPET(snip_write, "movl %eax, (%ebx)");
SNIPPET(snip_rmw, "incl (%ebx)");
SNIPPET(snip_xchg, "xchgl %eax, (%ebx)");
SNIPPET(snip_movs, "movsl");
SNIPPET(snip_push, "movl %ebx, %esp; pushl %eax; movl $0x081ff000, %esp");
SNIPPET(snip_call, "call *%ebx");

static u32 run(const u8 *code, u32 ring, u32 addr, u32 eax)
{
	struct probe_state s;
	struct probe_result r;

	probe_defaults(&s, code, ring);
	s.ebx = addr;
	s.eax = eax;
	s.esi = addr;
	s.edi = addr + 0x1000;
	probe_run(&s, &r);
	return r.vector == 14 ? 0xF0000000 | r.error :
		r.vector == SYSCALL_VECTOR ? r.s.eax : r.vector | 0xE0000000;
}
#define FAULT(error) (0xF0000000 | (error))

#define PAGE(n) (USER_PAGES + 0x40000 + (n) * PAGE_SIZE)

static u32 flags_of(u32 vaddr)
{
	return READ_ONCE(*pte_of(vaddr)) & (PTE_A | PTE_D);
}

/* ---- accessed and dirty ---- */

static void ad(const char *what, const u8 *code, u32 ring, u32 page_flags,
	       u32 offset, u32 want)
{
	char name[80];

	snprintf(name, sizeof(name), "%s, ring %u", what, ring);
	set_pte(PAGE(0), frame_pte(0, page_flags));
	run(code, ring, PAGE(0) + offset, 1);
	check_eq(name, flags_of(PAGE(0)), want);
}

static void check_ad(u32 ring)
{
	u32 rw = PTE_P | PTE_W | PTE_U, ro = PTE_P | PTE_U;

	/* movs needs a place to put it, call a place to go. */
	set_pte(PAGE(1), frame_pte(1, rw));
	frames[0][0x100] = 0xC3;
	ad("a read sets accessed", snip_read, ring, rw, 0, PTE_A);
	ad("a write sets both", snip_write, ring, rw, 0, PTE_A | PTE_D);
	ad("a read-modify-write sets both", snip_rmw, ring, rw, 0,
	   PTE_A | PTE_D);
	ad("xchg sets both", snip_xchg, ring, rw, 0, PTE_A | PTE_D);
	ad("movs sets accessed on its source", snip_movs, ring, rw, 0, PTE_A);
	check_eq("  and both on its destination", flags_of(PAGE(1)),
		 PTE_A | PTE_D);
	/* Whether it counts as an access is not said. */
	set_pte(PAGE(0), frame_pte(0, ro));
	run(snip_write, ring, PAGE(0), 1);
	check_eq("a refused write does not set dirty",
		 flags_of(PAGE(0)) & PTE_D, 0);
	ad("a fetch sets accessed", snip_call, ring, ro, 0x100, PTE_A);
	if (ring == 3)
		ad("push sets both", snip_push, ring, rw, 0x800,
		   PTE_A | PTE_D);

	set_pte(PAGE(0), frame_pte(0, rw));
	run(snip_read, ring, PAGE(0), 0);
	run(snip_write, ring, PAGE(0), 7);
	check_eq("a write after a read sets dirty", flags_of(PAGE(0)),
		 PTE_A | PTE_D);
	set_pte(PAGE(0), frame_pte(0, rw));
	check_eq("cleared bits", flags_of(PAGE(0)), 0);
	run(snip_read, ring, PAGE(0), 0);
	check_eq("are set again", flags_of(PAGE(0)), PTE_A);
	set_pte(PAGE(0), frame_pte(0, rw));
	*pte_of(PAGE(0)) = frame_pte(0, rw);
	hcall(LHCALL_FLUSH_TLB, 0, 0, 0);
	run(snip_write, ring, PAGE(0), 0);
	check_eq("also after FLUSH_TLB", flags_of(PAGE(0)), PTE_A | PTE_D);
	check_eq("the frame in the entry is still ours",
		 *pte_of(PAGE(0)) & -PAGE_SIZE, frame_pte(0, 0));
}

/* ---- changed entries ---- */

static void put(u32 frame, u32 value)
{
	*(volatile u32 *)frames[frame] = value;
}

static void check_remap(u32 ring)
{
	u32 i, sum = 0;

	for (i = 0; i < NR_FRAMES; i++)
		put(i, 0x1000 + i);
	set_pte(PAGE(0), frame_pte(2, 7));
	check_eq("reads what is mapped", run(snip_read, ring, PAGE(0), 0),
		 0x1002);
	set_pte(PAGE(0), frame_pte(3, 7));
	check_eq("SET_PTE changes the frame", run(snip_read, ring, PAGE(0), 0),
		 0x1003);
	set_pte(PAGE(0), frame_pte(4, 7 | PTE_A | PTE_D));
	check_eq("SET_PTE with accessed and dirty set",
		 run(snip_read, ring, PAGE(0), 0), 0x1004);
	run(snip_write, ring, PAGE(0), 0xBEEF);
	check_eq("and writes go there", *(volatile u32 *)frames[4], 0xBEEF);
	set_pte(PAGE(0), 0);
	check_eq("SET_PTE unmaps", run(snip_read, ring, PAGE(0), 0),
		 FAULT(ring == 3 ? 4 : 0));
	set_pte(PAGE(0), frame_pte(5, 7));
	run(snip_write, ring, PAGE(0), 0xCAFE);
	check_eq("and maps", *(volatile u32 *)frames[5], 0xCAFE);
	set_pte(PAGE(0), frame_pte(5, 5));
	touch(PAGE(0));
	check_eq("to read-only", run(snip_write, ring, PAGE(0), 1),
		 FAULT(ring == 3 ? 7 : 3));
	set_pte(PAGE(0), frame_pte(5, 7));
	check_eq("and back", run(snip_write, ring, PAGE(0), 1), 1);
	*pte_of(PAGE(0)) = frame_pte(6, 7);
	hcall(LHCALL_FLUSH_TLB, 0, 0, 0);
	check_eq("FLUSH_TLB of user space", run(snip_read, ring, PAGE(0), 0),
		 0x1006);
	*pte_of(PAGE(0)) = frame_pte(7, 7);
	hcall(LHCALL_FLUSH_TLB, 1, 0, 0);
	check_eq("FLUSH_TLB of everything", run(snip_read, ring, PAGE(0), 0),
		 0x1007);
	/* Queued, as Linux does it. */
	*pte_of(PAGE(0)) = frame_pte(8, 7);
	hcall_async(LHCALL_SET_PTE, phys(page_directory), PAGE(0),
		    frame_pte(8, 7));
	hcall(LHCALL_FLUSH_ASYNC, 0, 0, 0);
	check_eq("SET_PTE through the ring", run(snip_read, ring, PAGE(0), 0),
		 0x1008);
	for (i = 0; i < 200; i++) {
		set_pte(PAGE(0), frame_pte(i % 3 + 9, 7));
		sum += run(snip_read, ring, PAGE(0), 0) != 0x1000 + i % 3 + 9;
	}
	check_eq("two hundred times", sum, 0);
	set_pte(PAGE(0), frame_pte(9, 7 | PTE_G | PTE_PCD | 0xE00));
	check_eq("global, cache-disable and spare bits",
		 run(snip_read, ring, PAGE(0), 0), 0x1009);
}

/* ---- the directory ---- */

static u32 table2[1024] page_aligned;
static u32 directories[6][1024] page_aligned;
static u32 tables[6][1024] page_aligned;
static u32 trial_flags[] = { 7, 5, 3, 1 };

static void check_directory(u32 ring)
{
	u32 i, bad = 0, old = page_directory[USER_BASE >> 22];
	u32 user = ring == 3 ? 4 : 0;

	for (i = 0; i < NR_FRAMES; i++)
		put(i, 0x1000 + i);
	/* A second table at the next 4 MiB. */
	table2[3] = frame_pte(3, 7);
	check_eq("no table", run(snip_read, ring, USER_BASE + 0x403000, 0),
		 FAULT(user));
	set_pmd(USER_BASE + 0x400000, phys(table2) | 7);
	check_eq("SET_PMD adds a table",
		 run(snip_read, ring, USER_BASE + 0x403000, 0), 0x1003);
	memset(tables[0], 0, PAGE_SIZE);
	tables[0][3] = frame_pte(4, 7);
	set_pmd(USER_BASE + 0x400000, phys(tables[0]) | 7);
	check_eq("replaces it",
		 run(snip_read, ring, USER_BASE + 0x403000, 0), 0x1004);
	set_pmd(USER_BASE + 0x400000, 0);
	check_eq("and removes it",
		 run(snip_write, ring, USER_BASE + 0x403000, 0),
		 FAULT(user | 2));

	/* Six address spaces, more than the genuine host remembers. */
	for (i = 0; i < 6; i++) {
		memcpy(directories[i], page_directory, PAGE_SIZE);
		memcpy(tables[i], user_table, PAGE_SIZE);
		tables[i][(PAGE(0) - USER_BASE) >> 12] = frame_pte(i, 7);
		directories[i][USER_BASE >> 22] = phys(tables[i]) | 7;
	}
	for (i = 0; i < 60; i++) {
		u32 n = i * 7 % 6;

		hcall(LHCALL_NEW_PGTABLE, phys(directories[n]), 0, 0);
		bad += run(snip_read, ring, PAGE(0), 0) != 0x1000 + n;
		bad += !(tables[n][(PAGE(0) - USER_BASE) >> 12] & PTE_A);
	}
	check_eq("switching between six address spaces", bad, 0);
	/* An entry of a directory which is not the current one. */
	tables[2][(PAGE(0) - USER_BASE) >> 12] = frame_pte(12, 7);
	hcall(LHCALL_SET_PTE, phys(directories[2]), PAGE(0), frame_pte(12, 7));
	hcall(LHCALL_NEW_PGTABLE, phys(directories[2]), 0, 0);
	check_eq("SET_PTE of another address space",
		 run(snip_read, ring, PAGE(0), 0), 0x100C);
	hcall(LHCALL_NEW_PGTABLE, phys(page_directory), 0, 0);

	if (genuine()) {
		/* It loops for ever on a fault the directory has caused. */
		check_skip("protection in the directory", "not promised");
		return;
	}
	for (i = 0; i < ARRAY_SIZE(trial_flags); i++) {
		u32 f = trial_flags[i], want;
		char name[64];

		set_pte(PAGE(0), frame_pte(0, 7));
		/* Code and stack of the snippet are elsewhere for ring 3. */
		memset(table2, 0, PAGE_SIZE);
		table2[0] = frame_pte(0, 7);
		set_pmd(USER_BASE + 0x400000, phys(table2) | f);
		snprintf(name, sizeof(name), "directory flags %u, ring %u", f,
			 ring);
		want = user && !(f & PTE_U) ? FAULT(7) :
			!(f & PTE_W) ? FAULT(user | 3) : 5;
		check_eq(name, run(snip_write, ring, USER_BASE + 0x400000, 5),
			 want);
	}
	set_pmd(USER_BASE + 0x400000, 0);
	set_pmd(USER_BASE, old);
}

/* ---- kernel mappings, which every directory shares ---- */

static void check_window(void)
{
	volatile u32 *p = map_pages(frame_pte(0, 0), 1);
	volatile u32 *q = map_pages(frame_pte(0, 0), 1);
	u32 fresh;

	put(0, 0x11);
	put(1, 0x22);
	check_eq("a kernel mapping", *p, 0x11);
	*p = 0x33;
	check_eq("seen through the linear map", *(volatile u32 *)frames[0],
		 0x33);
	check_eq("and through a third", *q, 0x33);
	*(volatile u32 *)frames[0] = 0x44;
	check_eq("and back", *p + *q, 0x88);
	set_pte((u32)p, frame_pte(1, 3));
	check_eq("SET_PTE of a kernel mapping", *p, 0x22);
	*pte_of((u32)p) = frame_pte(0, 3);
	hcall(LHCALL_FLUSH_TLB, 1, 0, 0);
	check_eq("FLUSH_TLB of a kernel mapping", *p, 0x44);

	/* The linear map is the guest's, too. */
	fresh = (u32)frames[15];
	put(15, 0x55);
	put(14, 0x66);
	set_pte(fresh, frame_pte(14, 3));
	check_eq("the linear map can be changed", *(volatile u32 *)fresh, 0x66);
	set_pte(fresh, frame_pte(15, 7));
	check_eq("and restored", *(volatile u32 *)fresh, 0x55);
}

/* One instruction over two pages whose frames are far apart. */
static void check_split(u32 ring)
{
	u32 *a = (u32 *)(frames[10] + PAGE_SIZE - 4), *b = (u32 *)frames[3];

	set_pte(PAGE(0), frame_pte(10, 7));
	set_pte(PAGE(1), frame_pte(3, 7));
	*a = 0xAABBCCDD;
	*b = 0x11223344;
	check_eq("a read over two frames",
		 run(snip_read, ring, PAGE(1) - 2, 0), 0x3344AABB);
	run(snip_write, ring, PAGE(1) - 1, 0x99887766);
	check(*a == 0x66BBCCDD && *b == 0x11998877, "a write over two frames");
	run(snip_rmw, ring, PAGE(1) - 1, 0);
	check(*a == 0x67BBCCDD && *b == 0x11998877,
	      "a read-modify-write over two frames");
	check_eq("  both dirty", flags_of(PAGE(0)) & flags_of(PAGE(1)),
		 PTE_A | PTE_D);
}

/* Protection by the entry; the faults guest has the error codes. */
static void check_protection(void)
{
	put(0, 0x77);
	set_pte(PAGE(0), frame_pte(0, PTE_P));
	check_eq("ring 1 reads a supervisor page",
		 run(snip_read, 1, PAGE(0), 0), 0x77);
	check_eq("ring 3 does not", run(snip_read, 3, PAGE(0), 0), FAULT(5));
	check_eq("ring 1 may not write it read-only",
		 run(snip_write, 1, PAGE(0), 0), FAULT(3));
	set_pte(PAGE(0), frame_pte(0, PTE_P | PTE_W));
	check_eq("but it writes it writable", run(snip_write, 1, PAGE(0), 8),
		 8);
	touch(PAGE(0));
	check_eq("ring 3 still not", run(snip_write, 3, PAGE(0), 9), FAULT(7));
	check_eq("  nothing was written", *(volatile u32 *)frames[0], 8);
}

void guest_main(void)
{
	u32 ring;

	for (ring = 1; ring <= 3; ring += 2) {
		printf("ring %u:\n", ring);
		check_ad(ring);
		check_remap(ring);
		check_directory(ring);
		check_split(ring);
	}
	check_window();
	check_protection();
	check_finish();
}
