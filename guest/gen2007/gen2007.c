/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest of the first generation, February 2007: no mark, entered at the ELF
 * file's own entry point, with a periodic tick, a call for the date, and the
 * console at key 4.
 */
#include "check.h"
#include "desc.h"
#include "device.h"
#include "mm.h"
#include "probe.h"

extern const u8 guest_entry[];

SNIPPET(snip_gs, "movw %ax, %gs; movl %gs:0, %ecx");

static u32 wallclock(void)
{
	return hcall(LHCALL_GET_WALLCLOCK, 0, 0, 0);
}

static void check_boot(void)
{
	check(ram_size() >= 1 << 20 && ram_size() % (1 << 20) == 0,
	      "max_pfn");
	check(initrd_size() < ram_size(), "initrd_size");
	printf("%u KiB of RAM, command line: %s\n", ram_size() / 1024,
	       command_line());
	check(option("alpha"), "command line");
	check_eq("ring", entry_state.cs & 3, 1);
}

/* Sleep through `n` ticks, with a generous limit on stray wake-ups. */
static u32 ticks(u32 n)
{
	u32 before = irq_count[0], i;

	irqs_on();
	for (i = 0; i < n * 4 && irq_count[0] - before < n; i++)
		hcall(LHCALL_HALT, 0, 0, 0);
	irqs_off();
	return irq_count[0] - before;
}

static void check_timer(void)
{
	u32 start, ns, i, late = 0;

	hcall(LHCALL_TIMER_START, 100, 0, 0);
	check(ticks(10) >= 10, "the timer ticks");
	for (i = 0; i < 10; i++) {
		ns = hcall(LHCALL_TIMER_READ, 0, 0, 0);
		late += ns > 1000000000;
	}
	check_eq("TIMER_READ counts from the last tick", late, 0);
	check_eq("and again", ticks(5) >= 5, 1);
	start = wallclock();
	check(start > 1170000000, "GET_WALLCLOCK");
	/* More than a second of ticks must show on the wall. */
	ticks(120);
	check(wallclock() > start && wallclock() - start < 60,
	      "the wall clock moves on");
	hcall(LHCALL_TIMER_START, 0, 0, 0);
	/* One may be under way already. */
	irqs_on();
	for (i = 0; i < 10; i++)
		hcall(LHCALL_FLUSH_ASYNC, 0, 0, 0);
	start = irq_count[0];
	for (i = 0; i < 50000; i++)
		hcall(LHCALL_FLUSH_ASYNC, 0, 0, 0);
	irqs_off();
	check_eq("TIMER_START 0 stops it", irq_count[0], start);
}

/* The calls whose numbers moved. */
static void check_numbers(void)
{
	static struct desc tls[3];
	struct probe_state s;
	struct probe_result r;
	u32 page = USER_PAGES;

	*(u32 *)frames[0] = 0x2007;
	*(u32 *)frames[1] = 0x0209;
	set_pte(page, frame_pte(0, 7));
	check_eq("SET_PTE", *(volatile u32 *)page, 0x2007);
	set_pte(page, frame_pte(1, 7));
	check_eq("SET_PTE again", *(volatile u32 *)page, 0x0209);
	tls[0] = make_desc(page, 0xFFFFF, DESC_DATA_RW | DESC_DPL(3), 0xC);
	hcall(LHCALL_LOAD_TLS, phys(tls), 0, 0);
	probe_defaults(&s, snip_gs, 3);
	s.eax = GDT_ENTRY_TLS_MIN << 3 | 3;
	probe_run(&s, &r);
	check_eq("LOAD_TLS", r.s.ecx, 0x0209);
	set_pmd(USER_BASE + 0x400000, phys(user_table) | 7);
	check_eq("SET_PMD", *(volatile u32 *)(page + 0x400000), 0x0209);
}

static void check_block(void)
{
	static u8 sector[512] __attribute__((aligned(512)));
	static u8 copy[512] __attribute__((aligned(512)));
	static struct block disk;

	if (!block_open(&disk, 0)) {
		check_skip("block device", "no disk");
		return;
	}
	memset(sector, 0x07, sizeof(sector));
	check_eq("block write", block_transfer(&disk, true, 1, sector, 512),
		 1);
	check_eq("block read", block_transfer(&disk, false, 1, copy, 512), 1);
	check(!memcmp(sector, copy, 512), "  data");
}

void guest_main(void)
{
	printf("Hello from February 2007\n");
	check_boot();
	check_timer();
	check_numbers();
	check_block();
	check_finish();
}
