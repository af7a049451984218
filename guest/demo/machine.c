/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machine as its guest sees it: memory, devices, interrupts, processor. */
#include "demo.h"
#include "device.h"
#include "mm.h"
#include "traps.h"

extern const u8 _text[], _end[], bss_start[];

static void range(u32 start, u32 end, const char *what)
{
	printf("  %08x-%08x  %s\n", start, end - 1, what);
}

/* One line for each stretch that is mapped in one piece. */
static void page_tables(void)
{
	u32 v = 0, start = 0, first = 0, flags = 0, length = 0, n = 0;
	const u32 *table = NULL;

	printf("Virtual memory (page directory at physical %08x):\n",
	       phys(page_directory));
	/* 4 GiB in pages; absent tables are skipped whole. */
	while (n < 1024 * 1024) {
		u32 pde = page_directory[n / 1024], pte = 0;
		bool goes_on;

		if (pde & PTE_P) {
			/* The launcher's tables may lie above what is mapped. */
			if (n % 1024 == 0)
				table = (pde & -PAGE_SIZE) < mapped_ram() ?
					virt(pde & -PAGE_SIZE) :
					map_spare(pde & -PAGE_SIZE);
			pte = table[n % 1024];
			v = n * PAGE_SIZE;
		}
		goes_on = length && (pte & PTE_P) &&
			(pte & (PTE_W | PTE_U)) == flags &&
			(pte & -PAGE_SIZE) == first + length * PAGE_SIZE;
		if (length && !goes_on) {
			printf("  %08x-%08x -> %08x  %s%s\n", start,
			       start + length * PAGE_SIZE - 1, first,
			       flags & PTE_W ? "read-write" : "read-only",
			       flags & PTE_U ? ", user" : "");
			length = 0;
		}
		if (pte & PTE_P) {
			if (!length) {
				start = v;
				first = pte & -PAGE_SIZE;
				flags = pte & (PTE_W | PTE_U);
			}
			length++;
		}
		n += pde & PTE_P ? 1 : 1024 - n % 1024;
	}
}

void cmd_mem(const char *args)
{
	u32 i, top = ram_size() + PAGE_SIZE;
	u32 tables = (ram_size() + (4 << 20) - 1) >> 22;

	/* The linear map ends where the address space does. */
	if (ram_size() > -PAGE_OFFSET)
		tables = -PAGE_OFFSET >> 22;
	printf("Physical memory, %u MiB of RAM:\n", ram_size() >> 20);
	range(0, PAGE_SIZE, "boot parameters");
	range(PAGE_SIZE, 2 * PAGE_SIZE, "kernel command line");
	range(phys(_text), phys(bss_start), "this kernel");
	range(phys(bss_start), phys(_end), "its variables");
	range(phys(&lguest_data), phys(&lguest_data) + sizeof(lguest_data),
	      "of which shared with the host");
	range(launcher_pgdir() - tables * PAGE_SIZE,
	      launcher_pgdir() + PAGE_SIZE, "the launcher's page tables");
	if (initrd_size())
		range(initrd_start(), initrd_start() + initrd_size(),
		      "initial RAM disk");
	range(ram_size(), top, "device descriptors");
	for (i = 0; i < MAX_DEVICES && devices[i].type; i++)
		if (devices[i].num_pages)
			range(devices[i].pfn * PAGE_SIZE,
			      (devices[i].pfn + devices[i].num_pages) *
			      PAGE_SIZE, "a device's pages");
	page_tables();
	printf("Command line: %s\n", command_line());
}

static const char *device_name(u32 type)
{
	switch (type) {
	case DEVICE_CONSOLE: return "console";
	case DEVICE_NET: return "network";
	case DEVICE_BLOCK: return "block";
	}
	return "unknown";
}

void cmd_devices(const char *args)
{
	u32 i;

	printf("Nr Type     Irq Features Status Pages\n");
	for (i = 0; i < MAX_DEVICES && devices[i].type; i++) {
		printf("%2u %-8s %3u   0x%04x 0x%04x ", i,
		       device_name(devices[i].type), i + 1,
		       devices[i].features, devices[i].status);
		if (devices[i].num_pages)
			printf("%u at %08x\n", devices[i].num_pages,
			       devices[i].pfn * PAGE_SIZE);
		else
			printf("none\n");
	}
}

void cmd_irqs(const char *args)
{
	u32 i;

	for (i = 0; i < LGUEST_IRQS; i++) {
		const char *name = "clock";

		if (i && i <= MAX_DEVICES && devices[i - 1].type)
			name = device_name(devices[i - 1].type);
		else if (i && !irq_count[i])
			continue;
		else if (i)
			name = "?";
		printf("irq %2u, vector 0x%02x: %6u  %s\n", i,
		       FIRST_IRQ_VECTOR + i, irq_count[i], name);
	}
}

static void cpuid(u32 leaf, u32 *r)
{
	asm volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3])
		     : "0"(leaf), "2"(0));
}

void cmd_cpu(const char *args)
{
	static const char *const features[32] = {
		"fpu", "vme", "de", "pse", "tsc", "msr", "pae", "mce", "cx8",
		"apic", NULL, "sep", "mtrr", "pge", "mca", "cmov", "pat",
		"pse36", "pn", "clflush", NULL, "dts", "acpi", "mmx", "fxsr",
		"sse", "sse2", "ss", "ht", "tm", "ia64", "pbe",
	};
	u32 r[4], i;
	char text[49];

	cpuid(0, r);
	memcpy(text, &r[1], 4);
	memcpy(text + 4, &r[3], 4);
	memcpy(text + 8, &r[2], 4);
	text[12] = '\0';
	printf("Vendor:   %s\n", text);
	cpuid(0x80000000, r);
	if (r[0] >= 0x80000004 && r[0] < 0x80001000) {
		for (i = 0; i < 3; i++)
			cpuid(0x80000002 + i, (u32 *)text + i * 4);
		/* The words come in the order eax, ebx, ecx, edx. */
		text[48] = '\0';
		for (i = 0; text[i] == ' '; i++)
			;
		printf("Name:     %s\n", text + i);
	}
	cpuid(1, r);
	printf("Family %u model %u stepping %u\nFeatures:", r[0] >> 8 & 15,
	       r[0] >> 4 & 15, r[0] & 15);
	for (i = 0; i < 32; i++)
		if ((r[3] >> i & 1) && features[i])
			printf(" %s", features[i]);
	printf("\nTSC:      ");
	if (lguest_data.tsc_khz)
		printf("%u kHz, says the host\n", lguest_data.tsc_khz);
	else
		printf("not to be relied upon, says the host\n");
	printf("Ring:     %u\n", entry_state.cs & 3);
}
