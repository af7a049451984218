/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "desc.h"
#include "hcall.h"
#include "traps.h"

struct desc gdt[GDT_ENTRIES];

struct desc make_desc(u32 base, u32 limit, u8 access, u8 flags)
{
	struct desc d = {
		(base << 16) | (limit & 0xFFFF),
		(base & 0xFF000000) | flags << 20 | (limit & 0xF0000) |
			access << 8 | ((base >> 16) & 0xFF),
	};
	return d;
}

void gdt_load(void)
{
	hcall(LHCALL_LOAD_GDT, phys(gdt), GDT_ENTRIES, 0);
}

void gdt_set(u32 entry, struct desc d)
{
	gdt[entry] = d;
	gdt_load();
}

void idt_set(u32 vector, const void *handler, u32 type, u32 dpl)
{
	u32 h = (u32)handler;

	hcall(LHCALL_LOAD_IDT_ENTRY, vector,
	      KERNEL_CS << 16 | (h & 0xFFFF),
	      (h & 0xFFFF0000) | 0x8000 | dpl << 13 | type << 8);
}

void idt_clear(u32 vector)
{
	hcall(LHCALL_LOAD_IDT_ENTRY, vector, 0, 0);
}

/*
 * Faults use trap gates: an interrupt gate would make the genuine host deliver
 * them itself, and it forgets to clear TF.  Privilege level 1, so that int3
 * and into work in our own ring; the two from which user space benefits get 3,
 * as Linux does it.  Interrupts need interrupt gates.
 */
void idt_defaults(void)
{
	u32 i;

	for (i = 0; i < FIRST_IRQ_VECTOR; i++)
		if (trap_stubs[i])
			idt_set(i, trap_stubs[i], GATE_TRAP,
				i == 3 || i == 4 ? 3 : 1);
	for (i = 0; i < LGUEST_IRQS; i++)
		idt_set(FIRST_IRQ_VECTOR + i,
			trap_stubs[FIRST_IRQ_VECTOR + i], GATE_INTERRUPT, 1);
	idt_set(SYSCALL_VECTOR, syscall_stub, GATE_TRAP, 3);
}

void desc_init(void)
{
	/* Linux forgets the privilege level; the host turns 0 into 1. */
	gdt[KERNEL_CS >> 3] = make_desc(0, 0xFFFFF, DESC_CODE_RX, 0xC);
	gdt[KERNEL_DS >> 3] = make_desc(0, 0xFFFFF, DESC_DATA_RW, 0xC);
	gdt[USER_CS >> 3] =
		make_desc(0, 0xFFFFF, DESC_CODE_RX | DESC_DPL(3), 0xC);
	gdt[USER_DS >> 3] =
		make_desc(0, 0xFFFFF, DESC_DATA_RW | DESC_DPL(3), 0xC);
	gdt_load();
	idt_defaults();
	hcall(LHCALL_SET_STACK, KERNEL_DS, (u32)kernel_trap_stack_top, 2);
}
