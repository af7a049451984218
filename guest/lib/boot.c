/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "boot.h"
#include "hcall.h"
#include "string.h"

#ifdef GENERATION_2007_02
/* One small structure at physical 0. */
struct boot_info {
	u32 max_pfn, initrd_size;
	char cmdline[256];
};
#define boot_info ((const volatile struct boot_info *)virt(0))

u32 ram_size(void) { return boot_info->max_pfn * PAGE_SIZE; }
u32 initrd_size(void) { return boot_info->initrd_size; }
u32 initrd_start(void)
{
	return ram_size() - ((initrd_size() + PAGE_SIZE - 1) & -PAGE_SIZE);
}
const char *command_line(void) { return (const char *)boot_info->cmdline; }
#else
/* Linux's "zero page".  The optimizer must not know that it sits near NULL. */
static inline u32 zero_page(u32 offset)
{
	return *(const volatile u32 *)(PAGE_OFFSET + offset);
}

u32 ram_size(void)
{
	/* A single E820 entry from 0: its size is all of it. */
	return zero_page(0x2d8);
}

u32 initrd_start(void) { return zero_page(0x218); }
u32 initrd_size(void) { return zero_page(0x21c); }
const char *command_line(void) { return virt(zero_page(0x228)); }
#endif

/* Find a word; what follows it must be a word's end, or '=' if wanted. */
static const char *find_word(const char *word, char follow)
{
	const char *p = command_line();
	u32 n = strlen(word);

	while (*p) {
		if (!strncmp(p, word, n)) {
			if (follow && p[n] == follow)
				return p + n + 1;
			if (!follow && (!p[n] || p[n] == ' '))
				return p + n;
		}
		while (*p && *p != ' ')
			p++;
		while (*p == ' ')
			p++;
	}
	return NULL;
}

bool option(const char *word) { return find_word(word, 0) != NULL; }
const char *option_value(const char *name) { return find_word(name, '='); }
