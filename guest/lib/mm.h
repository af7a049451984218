/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory as our guests lay it out: the launcher's linear map, one page table
 * of user space for the checks, one window for pages above RAM (devices).
 */
#ifndef GUEST_MM_H
#define GUEST_MM_H
#include "lguest.h"

/* One page table's worth (4 MiB) of user space. */
#define USER_BASE	0x08000000U
#define USER_CODE	USER_BASE		/* alias of .snippets, read-only */
#define USER_PAGES	(USER_BASE + 0x100000)	/* for a check to fill in */
#define USER_STACK_TOP	(USER_BASE + 0x200000)
#define WINDOW		0xFE000000U

/* Frames for checks to map; plain kernel memory. */
#define NR_FRAMES 16
extern u8 frames[NR_FRAMES][PAGE_SIZE];
extern u32 page_directory[1024], user_table[1024], window_table[1024];

void mm_init(void);
/* Bytes of RAM that the linear map reaches: all, or all below the window. */
u32 mapped_ram(void);
/* Map any one page, until the next call. */
void *map_spare(u32 paddr);
/* The launcher's own page directory, for those who want to look at it. */
u32 launcher_pgdir(void);
u32 *pte_of(u32 vaddr);
/* Write an entry and tell the host, as the ABI asks. */
void set_pte(u32 vaddr, u32 pte);
void set_pmd(u32 vaddr, u32 pmd);
/* Map `n` physical pages into the window; returns the virtual address. */
void *map_pages(u32 paddr, u32 n);
/* Physical address of a linear page, with flags. */
u32 frame_pte(u32 frame, u32 flags);
/* Have the host notice the present mapping (read it once). */
static inline void touch(u32 vaddr)
{
	(void)*(volatile u8 *)vaddr;
}

#endif
