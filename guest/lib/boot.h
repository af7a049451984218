/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the launcher tells: memory, command line, initrd. */
#ifndef GUEST_BOOT_H
#define GUEST_BOOT_H
#include "types.h"

/* As entry.S recorded it. */
struct entry_state {
	u32 eax, ecx, edx, ebx, esp, ebp, esi, edi, eflags;
	u16 cs, ss, ds, es, fs, gs;
};
extern struct entry_state entry_state;

u32 ram_size(void);
u32 initrd_start(void);
u32 initrd_size(void);
const char *command_line(void);
/* A whole word of the command line, or what follows "word=". */
bool option(const char *word);
const char *option_value(const char *name);

#endif
