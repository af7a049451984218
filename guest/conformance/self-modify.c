/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Code that changes: under its own address, under another, from ring 3, one
 * instruction ahead, by the stack, by DMA, by a page table entry.  A processor
 * notices all of these; a translator has to take pains.
 */
#include "check.h"
#include "clock.h"
#include "device.h"
#include "mm.h"
#include "probe.h"

typedef u32 (*function)(void);

#define MOV_RET(p, value) do {						\
	u8 *_p = (u8 *)(p);						\
	_p[0] = 0xB8;		/* mov $value, %eax */			\
	*(u32 *)(_p + 1) = (value);					\
	_p[5] = 0xC3;		/* ret */				\
	barrier();							\
} while (0)

#define PAGE(n) (USER_PAGES + 0x60000 + (n) * PAGE_SIZE)

static u8 *const code = frames[0];

static u32 call(u32 addr)
{
	/* What was just written as data is now fetched as code. */
	barrier();
	return ((function)addr)();
}

/* Run it in ring 3: it ends in a system call. */
static u32 call_user(u32 addr)
{
	struct probe_state s;
	struct probe_result r;

	probe_defaults(&s, snippets_start, 3);
	s.eip = addr;
	probe_run(&s, &r);
	return r.vector == SYSCALL_VECTOR ? r.s.eax : 0xBAD00000 | r.vector;
}

static void mov_int80(u8 *p, u32 value)
{
	MOV_RET(p, value);
	p[5] = 0xCD;
	p[6] = 0x80;
}

static void check_same_address(void)
{
	u32 i, bad = 0;

	MOV_RET(code, 1);
	check_eq("fresh code", call((u32)code), 1);
	MOV_RET(code, 2);
	check_eq("rewritten", call((u32)code), 2);
	for (i = 0; i < 1000; i++) {
		*(volatile u32 *)(code + 1) = i;
		bad += call((u32)code) != i;
	}
	check_eq("a thousand times", bad, 0);
	*(volatile u8 *)code = 0x68;		/* push $value */
	*(volatile u8 *)(code + 5) = 0x58;	/* pop %eax */
	*(volatile u8 *)(code + 6) = 0xC3;
	check_eq("another instruction", call((u32)code), 999);
	/* Data in the page of the code. */
	MOV_RET(code, 0x77);
	for (i = 0; i < 1000; i++) {
		*(volatile u32 *)(code + 2048) = i;
		bad += call((u32)code) != 0x77;
		bad += *(volatile u32 *)(code + 2048) != i;
	}
	check_eq("data next to code", bad, 0);
}

static void check_alias(void)
{
	u32 i, bad = 0;
	u8 *alias;

	set_pte(PAGE(0), frame_pte(0, 7));
	alias = (u8 *)PAGE(0);
	MOV_RET(code, 3);
	check_eq("through one mapping", call(PAGE(0)), 3);
	check_eq("through the other", call((u32)code), 3);
	for (i = 0; i < 100; i++) {
		MOV_RET(i & 1 ? alias : code, i);
		bad += call(i & 2 ? (u32)code : PAGE(0)) != i;
		bad += call(i & 2 ? PAGE(0) : (u32)code) != i;
	}
	check_eq("changed through either", bad, 0);
	for (i = 0; i < 100; i++) {
		mov_int80(i & 1 ? alias : code, i);
		bad += call_user(PAGE(0)) != i;
	}
	check_eq("run in ring 3, changed in ring 1", bad, 0);
}

/* Ring 3 patches its own page. */
SNIPPET(snip_patch, "movl %ecx, 1(%ebx); jmp *%ebx");

static void check_user(void)
{
	struct probe_state s;
	struct probe_result r;
	u32 i, bad = 0;

	mov_int80(code, 0);
	for (i = 0; i < 100; i++) {
		probe_defaults(&s, snip_patch, 3);
		s.ecx = i * 3;
		s.ebx = PAGE(0);
		probe_run(&s, &r);
		bad += r.s.eax != i * 3;
	}
	check_eq("run and changed in ring 3", bad, 0);
}

/* The very next instructions, in the block that is running. */
SNIPPET(snip_ahead, "call 1f; 1: popl %ebx; movb $0x42, 2f-1b+1(%ebx);"
	"2: movl $0x41, %eax");
SNIPPET(snip_behind, "movl $3, %ecx; xorl %eax, %eax; call 1f; 1: popl %ebx;"
	"2: addl $1, %eax; shlb $1, 2b-1b+2(%ebx); decl %ecx; jnz 2b;"
	"movb $1, 2b-1b+2(%ebx)");
SNIPPET(snip_rep, "call 1f; 1: popl %ebx; leal 3f-1b(%ebx), %esi;"
	"leal 2f-1b(%ebx), %edi; movl $5, %ecx; cld; rep movsb;"
	"2: movl $1, %eax; jmp 4f; 3: movl $2, %eax; 4:");
SNIPPET(snip_push, "call 1f; 1: popl %ebx; movl %esp, %ebp;"
	"leal 2f-1b+5(%ebx), %esp; pushl $0x99; 2: movl $1, %eax; movl %ebp, %esp");
SNIPPET(snip_ud, "call 1f; 1: popl %ebx; movw $0x0b0f, 2f-1b(%ebx); 2: nop; nop");

static void check_ahead(void)
{
	struct probe_state s;
	struct probe_result r;
	u32 i, n = (snippets_end - snippets_start) / PAGE_SIZE;

	/* In ring 1 through the linear map, which is writable. */
	probe(snip_ahead, 1, &r);
	check_eq("one instruction ahead", r.s.eax, 0x42);
	probe(snip_behind, 1, &r);
	check_eq("inside a loop", r.s.eax, 1 + 2 + 4);
	probe(snip_rep, 1, &r);
	check_eq("by rep movs over the next instruction", r.s.eax, 2);
	probe(snip_push, 1, &r);
	check_eq("by a push", r.s.eax, 0x99);
	probe(snip_ud, 1, &r);
	check_eq("into a fault", r.vector, 6);

	/* And in ring 3, once it may write there. */
	for (i = 0; i < n; i++)
		set_pte(USER_CODE + i * PAGE_SIZE,
			*pte_of(USER_CODE + i * PAGE_SIZE) | PTE_W);
	((u8 *)snip_ahead)[0] = 0xE8;
	probe_defaults(&s, snip_behind, 3);
	probe_run(&s, &r);
	check_eq("inside a loop of ring 3", r.s.eax, 1 + 2 + 4);
	probe(snip_push, 3, &r);
	check_eq("by a push of ring 3", r.s.eax, 0x99);
}

static void check_mapping(void)
{
	u32 i, bad = 0;

	MOV_RET(frames[1], 0x101);
	MOV_RET(frames[2], 0x202);
	set_pte(PAGE(1), frame_pte(1, 7));
	check_eq("a page of code", call(PAGE(1)), 0x101);
	set_pte(PAGE(1), frame_pte(2, 7));
	check_eq("replaced by SET_PTE", call(PAGE(1)), 0x202);
	for (i = 0; i < 100; i++) {
		set_pte(PAGE(1), frame_pte(1 + (i & 1), 7));
		bad += call(PAGE(1)) != (i & 1 ? 0x202 : 0x101);
	}
	check_eq("back and forth", bad, 0);

	/* One instruction over two pages. */
	set_pte(PAGE(2), frame_pte(3, 7));
	set_pte(PAGE(3), frame_pte(5, 7));
	frames[3][4094] = 0xB8;
	frames[3][4095] = 0x11;
	frames[5][0] = 0x22;
	frames[5][1] = 0x33;
	frames[5][2] = 0x44;
	frames[5][3] = 0xC3;
	check_eq("an instruction over two frames", call(PAGE(2) + 4094),
		 0x44332211);
	*(volatile u8 *)frames[5] = 0x55;
	check_eq("its second half changed", call(PAGE(2) + 4094), 0x44335511);
	memcpy(frames[6], frames[5], 16);
	frames[6][0] = 0x66;
	set_pte(PAGE(3), frame_pte(6, 7));
	check_eq("its second half replaced", call(PAGE(2) + 4094), 0x44336611);
}

/* Jumping into the middle of an instruction is legal, and another one. */
static void check_overlap(void)
{
	static const u8 bytes[] = {
		0xB8, 0xB8, 0x01, 0x00, 0x00,	/* mov $0x1b8, %eax... */
		0x00, 0xC3,			/* ...or, from 1, mov $1 */
	};

	/* From 0: mov $0x000001b8,%eax; then 00 C3: add %al,%bl: not run. */
	memcpy(code, bytes, sizeof(bytes));
	check_eq("an instruction within an instruction",
		 call((u32)code + 1), 1);
}

static void check_dma(void)
{
	static struct block disk;
	static u8 sector[512] __attribute__((aligned(512)));
	u32 i, bad = 0;

	if (!block_open(&disk, 0)) {
		check_skip("code loaded by DMA", "no disk");
		return;
	}
	for (i = 0; i < 10; i++) {
		MOV_RET(sector, 0xD0A0 + i);
		block_transfer(&disk, true, i, sector, 512);
	}
	for (i = 0; i < 10; i++) {
		block_transfer(&disk, false, i, code, 512);
		bad += call((u32)code) != 0xD0A0 + i;
	}
	check_eq("code loaded by DMA", bad, 0);
}

void guest_main(void)
{
	clock_init();
	check_same_address();
	check_alias();
	check_user();
	check_ahead();
	check_mapping();
	check_overlap();
	check_dma();
	check_finish();
}
