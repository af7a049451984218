/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machine that an lguest host makes: what Linux asks of it, asked the same way. */
#include "bench.h"
#include "boot.h"
#include "console.h"
#include "check.h"
#include "desc.h"
#include "hcall.h"
#include "kernel.h"

extern u32 page_directory[1024];

void machine_init(const void *system_call, const void *page_fault,
		  const u32 *percpu)
{
	idt_set(SYSCALL_VECTOR, system_call, GATE_TRAP, 3);
	idt_set(14, page_fault, GATE_TRAP, 1);
	gdt_set(PERCPU_SELECTOR >> 3,
		make_desc((u32)percpu, 0xFFFFF, DESC_DATA_RW, 0xC));
}

const u32 *machine_directory(void)
{
	return page_directory;
}

/* Linux's switch is lazy: three calls queued, one made. */
void machine_switch(const struct task *next)
{
	hcall_async(LHCALL_SET_STACK, KERNEL_DS, (u32)next->stack_top, 2);
	hcall_async(LHCALL_LOAD_TLS, phys(next->tls), 0, 0);
	hcall_async(LHCALL_NEW_PGTABLE, phys(next->directory), 0, 0);
	hcall(LHCALL_FLUSH_ASYNC, 0, 0, 0);
}

u32 machine_fault_address(void)
{
	return lguest_data.cr2;
}

void machine_set_pte(const u32 *directory, u32 address, u32 entry)
{
	hcall(LHCALL_SET_PTE, phys(directory), address, entry);
}

void machine_set_pte_later(const u32 *directory, u32 address, u32 entry)
{
	hcall_async(LHCALL_SET_PTE, phys(directory), address, entry);
}

void machine_apply(void)
{
	hcall(LHCALL_FLUSH_ASYNC, 0, 0, 0);
}

void machine_set_table(const u32 *directory, u32 address)
{
	hcall(LHCALL_SET_PMD, phys(directory), address >> 22, 0);
}

/* Zero: if there is something, it will be faulted in. */
void machine_flush_page(const u32 *directory, u32 address)
{
	hcall(LHCALL_SET_PTE, phys(directory), address, 0);
}

void machine_flush_user(void)
{
	hcall(LHCALL_FLUSH_TLB, 0, 0, 0);
}

void machine_call(void)
{
	hcall(LHCALL_FLUSH_ASYNC, 0, 0, 0);
}

noreturn void machine_off(void)
{
	power_off();
}

noreturn void machine_die(const char *why)
{
	crash(why);
}

void put_text(const char *text, u32 len)
{
	console_write(text, len);
}

u32 tsc_khz(void)
{
	return lguest_data.tsc_khz;
}

void guest_main(void)
{
	/* At once: how long starting and stopping takes. */
	if (option("off"))
		machine_off();
	kernel_init();
	bench(command_line());
	machine_off();
}
