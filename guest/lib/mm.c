/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mm.h"
#include "boot.h"
#include "hcall.h"
#include "probe.h"
#include "string.h"

u8 frames[NR_FRAMES][PAGE_SIZE] page_aligned;
u32 page_directory[1024] page_aligned;
u32 user_table[1024] page_aligned;
u32 window_table[1024] page_aligned;
static u8 user_stack[2][PAGE_SIZE] page_aligned;

static u32 window_used;

u32 launcher_pgdir(void)
{
	return ram_size() - ((initrd_size() + PAGE_SIZE - 1) & -PAGE_SIZE) -
		PAGE_SIZE;
}

u32 mapped_ram(void)
{
	u32 most = WINDOW - PAGE_OFFSET;

	return ram_size() < most ? ram_size() : most;
}

u32 *pte_of(u32 vaddr)
{
	u32 pmd = page_directory[vaddr >> 22];

	return (u32 *)virt(pmd & -PAGE_SIZE) + (vaddr >> 12) % 1024;
}

/* [G:150+5] Changing a page table
 * Page tables are in the guest's own memory, and the guest writes to them as
 * any kernel would. But what the host has made of an entry is then out of
 * date, as a processor's TLB would be, and the host cannot know. So each
 * change is followed by a call that says where.
 */
void set_pte(u32 vaddr, u32 pte)
{
	*(volatile u32 *)pte_of(vaddr) = pte;
	hcall(LHCALL_SET_PTE, phys(page_directory), vaddr, pte);
}

void set_pmd(u32 vaddr, u32 pmd)
{
	WRITE_ONCE(page_directory[vaddr >> 22], pmd);
	hcall(LHCALL_SET_PMD, phys(page_directory), vaddr >> 22, 0);
}

u32 frame_pte(u32 frame, u32 flags)
{
	return phys(frames[frame]) | flags;
}

void *map_pages(u32 paddr, u32 n)
{
	u32 vaddr = WINDOW + window_used * PAGE_SIZE, i;

	for (i = 0; i < n; i++)
		set_pte(vaddr + i * PAGE_SIZE, (paddr + i * PAGE_SIZE) |
			PTE_P | PTE_W | PTE_A | PTE_D);
	window_used += n;
	return (void *)vaddr;
}

void *map_spare(u32 paddr)
{
	u32 vaddr = WINDOW + 1023 * PAGE_SIZE;

	set_pte(vaddr, paddr | PTE_P | PTE_W | PTE_A | PTE_D);
	return (void *)vaddr;
}

/*
 * The launcher's directory is the page below the initrd, with the tables right
 * below it.  Where there is so much RAM that it cannot be read there, it is
 * written anew.
 */
static void copy_directory(void)
{
	u32 mapped = -PAGE_OFFSET - lguest_data.reserve_mem;
	u32 tables = (ram_size() - 1) / (1024 * PAGE_SIZE) + 1, i;

	if (launcher_pgdir() < mapped - PAGE_SIZE) {
		memcpy(page_directory, virt(launcher_pgdir()),
		       sizeof(page_directory));
		return;
	}
	if (tables > -PAGE_OFFSET / (1024 * PAGE_SIZE))
		tables = -PAGE_OFFSET / (1024 * PAGE_SIZE);
	for (i = 0; i < tables; i++)
		page_directory[PAGE_OFFSET / (1024 * PAGE_SIZE) + i] =
			(launcher_pgdir() - (tables - i) * PAGE_SIZE) | 7;
}

/* [G:160+16] Page tables of its own
 * The launcher has made page tables with which the kernel finds itself where
 * it was linked to be. A real kernel soon makes its own; this one copies the
 * directory and adds two tables.
 */
void mm_init(void)
{
	u32 i, n = (snippets_end - snippets_start) / PAGE_SIZE;

	copy_directory();
	page_directory[USER_BASE >> 22] = phys(user_table) | 7;
	page_directory[WINDOW >> 22] = phys(window_table) | 3;
	for (i = 0; i < n; i++)
		user_table[i] = (phys(snippets_start) + i * PAGE_SIZE) |
			PTE_P | PTE_U | PTE_A;
	for (i = 0; i < 2; i++)
		user_table[(USER_STACK_TOP - USER_BASE) / PAGE_SIZE - 2 + i] =
			phys(user_stack[i]) |
			PTE_P | PTE_W | PTE_U | PTE_A | PTE_D;
	hcall(LHCALL_NEW_PGTABLE, phys(page_directory), 0, 0);
}
