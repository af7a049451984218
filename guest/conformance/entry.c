/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a guest finds when it wakes up: registers, boot parameters, linear
 * page tables, zeroed memory, the device descriptors, and what LGUEST_INIT
 * filled in.  Run it with the words `alpha beta=2` on the command line.
 */
#include "check.h"
#include "device.h"
#include "mm.h"

extern const u8 _text[], _end[];


/* LGUEST_INIT is the library's business; entry.S has recorded the rest. */
void guest_early(void)
{
	volatile struct lguest_data *d = &lguest_data;

	/* Marks, to see which fields the host fills in. */
	d->reserve_mem = 0x55555555;
	d->tsc_khz = 0x55555555;
	d->guestid = 0x5555;
	d->irq_enabled = 0;
	d->blocked_interrupts = 0;
	d->cr2 = 0x55555555;
}

static void check_registers(void)
{
	const struct entry_state *e = &entry_state;

	check_eq("eax", e->eax, 0);
	check_eq("ecx", e->ecx, 0);
	check_eq("edx", e->edx, 0);
	check_eq("ebx", e->ebx, 0);
	check_eq("esp", e->esp, 0);
	check_eq("ebp", e->ebp, 0);
	check_eq("esi points at the boot parameters", e->esi, 0);
	check_eq("edi", e->edi, 0);
	check_eq("eflags", e->eflags, 0x202);
	check_eq("cs", e->cs, KERNEL_CS);
	check_eq("ss", e->ss, KERNEL_DS);
	check_eq("ds", e->ds, KERNEL_DS);
	check_eq("es", e->es, KERNEL_DS);
	check_eq("fs", e->fs, 0);
	check_eq("gs", e->gs, 0);
}

static u32 boot_u32(u32 offset)
{
	return *(volatile u32 *)(PAGE_OFFSET + offset);
}

static void check_boot_parameters(void)
{
	const char *value;

	check_eq("number of E820 entries", boot_u32(0x1e8) & 0xFF, 1);
	check_eq("E820 starts at 0", boot_u32(0x2d0) | boot_u32(0x2d4), 0);
	check_eq("E820 below 4 GiB", boot_u32(0x2dc), 0);
	check_eq("E820 whole megabytes", ram_size() & 0xFFFFF, 0);
	check_eq("E820 type is RAM", boot_u32(0x2e0), 1);
	check_eq("command line pointer", boot_u32(0x228), 0x1000);
	check_eq("guest type is lguest", boot_u32(0x23c), 1);
	if (initrd_size()) {
		check_eq("loader type", boot_u32(0x210) & 0xFF, 0xFF);
		check_eq("initrd ends at the top of RAM", initrd_start() +
			 ((initrd_size() + PAGE_SIZE - 1) & -PAGE_SIZE),
			 ram_size());
	} else {
		check_eq("no initrd", initrd_start(), 0);
	}
	check(option("alpha"), "first word of the command line");
	value = option_value("beta");
	check(value && *value == '2', "second word of the command line");
	check(strstr(command_line(), "  ") == NULL, "single spaces");
}

/* Walks the launcher's tables through the linear map they describe. */
static void check_linear_map(void)
{
	u32 pages = ram_size() / PAGE_SIZE, max = -PAGE_OFFSET / PAGE_SIZE;
	u32 *pgd = virt(launcher_pgdir());
	u32 i, bad = 0, others = 0, tables;

	if (pages > max)
		pages = max;
	tables = (pages + 1023) / 1024;
	for (i = 0; i < pages; i++) {
		u32 pde = pgd[(PAGE_OFFSET >> 22) + i / 1024];
		u32 pte;

		/* The genuine launcher's tables are one after another. */
		if ((pde & ~(PTE_A | PTE_D)) !=
		    ((launcher_pgdir() - (tables - i / 1024) * PAGE_SIZE) | 7)) {
			bad++;
			continue;
		}
		pte = ((u32 *)virt(pde & -PAGE_SIZE))[i % 1024];
		if ((pte & ~(PTE_A | PTE_D)) != (i * PAGE_SIZE | 7))
			bad++;
	}
	check_eq("linear map of all RAM", bad, 0);
	for (i = 0; i < 1024; i++)
		if ((i < PAGE_OFFSET >> 22 ||
		     i >= (PAGE_OFFSET >> 22) + tables) && (pgd[i] & PTE_P))
			others++;
	check_eq("and nothing else", others, 0);
}

static void check_memory(void)
{
	u32 *p = virt((phys(_end) + PAGE_SIZE - 1) & -PAGE_SIZE);
	u32 *end = virt(launcher_pgdir() - (ram_size() >> 22) * PAGE_SIZE -
			PAGE_SIZE);
	u32 dirty = 0;

	/* One word in each page is enough, plus two whole pages. */
	for (; p < end; p += 1024)
		dirty |= *p | p[511];
	for (p = end - 2048; p < end; p++)
		dirty |= *p;
	check_eq("memory beyond the kernel is zero", dirty, 0);
	for (p = virt(0x2000); p < (u32 *)virt(0x100000); p++)
		dirty |= *p;
	check_eq("memory below the kernel is zero", dirty, 0);
	p = virt(ram_size() - 4);
	if (!initrd_size()) {
		*p = 0x12345678;
		check_eq("the last word of RAM", READ_ONCE(*p), 0x12345678);
	}
}

static void check_init(void)
{
	volatile struct lguest_data *d = &lguest_data;

	check_eq("reserve_mem", d->reserve_mem, 4 << 20);
	check(d->guestid != 0x5555, "guestid is set");
	check(d->tsc_khz != 0x55555555, "tsc_khz is set");
	printf("tsc_khz %u guestid %u time %d.%09d\n", d->tsc_khz, d->guestid,
	       d->time_sec, d->time_nsec);
	/* Any date after the seed was written. */
	check(d->time_sec > 1170000000, "time is set");
	check((u32)d->time_nsec < 1000000000, "nanoseconds");
	check_eq("irq_enabled is the guest's own", d->irq_enabled, 0);
}

static void check_devices(void)
{
	u32 i, n = 0, pages = 0;

	while (n < MAX_DEVICES && devices[n].type)
		n++;
	check(n >= 1, "there are devices");
	check(device_find(DEVICE_CONSOLE, 0) >= 0, "one is the console");
	for (i = 0; i < n; i++) {
		printf("device %u: type %u features 0x%x pages %u pfn 0x%x\n",
		       i, devices[i].type, devices[i].features,
		       devices[i].num_pages, devices[i].pfn);
		if (!devices[i].num_pages)
			continue;
		check_eq("device pages one after another", devices[i].pfn,
			 ram_size() / PAGE_SIZE + 1 + pages);
		pages += devices[i].num_pages;
	}
	for (; n < MAX_DEVICES; n++)
		if (devices[n].type)
			break;
	check_eq("free descriptors are zero", n, MAX_DEVICES);
}

void guest_main(void)
{
	check_registers();
	check_boot_parameters();
	check_linear_map();
	check_memory();
	check_init();
	check_devices();
	check_finish();
}
