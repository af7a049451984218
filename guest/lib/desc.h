/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Segment and gate descriptors.  The host keeps the tables; we hand them over. */
#ifndef GUEST_DESC_H
#define GUEST_DESC_H
#include "types.h"

struct desc {
	u32 a, b;
};

/* Access byte: present, DPL, S=1, type. */
#define DESC_DATA_RW	0x93
#define DESC_DATA_RO	0x91
#define DESC_CODE_RX	0x9B
#define DESC_CODE_XO	0x99
#define DESC_CONFORM	0x9F
#define DESC_DPL(n)	((n) << 5)
/* Flags nibble. */
#define DESC_G		0x8
#define DESC_32		0x4

#define GATE_INTERRUPT	0xE
#define GATE_TRAP	0xF

extern struct desc gdt[];

void desc_init(void);
struct desc make_desc(u32 base, u32 limit, u8 access, u8 flags);
/* Change one entry and reload the whole table, the only way there is. */
void gdt_set(u32 entry, struct desc d);
void gdt_load(void);
void idt_set(u32 vector, const void *handler, u32 type, u32 dpl);
void idt_clear(u32 vector);
/* Put the gates of start-up back. */
void idt_defaults(void);

#endif
