/* SPDX-License-Identifier: GPL-2.0-or-later */
/* [G:100] The first instruction
 * Where every guest begins.  The launcher knows nothing but the mark: the
 * first instruction is the byte after it.  All general registers are zero,
 * %esp included, so the first push would fault: a stack comes first.  Before
 * even that, everything the host promised about the entry state is written
 * down for the "entry" guest to judge.
 */
#define __ASSEMBLY__
#include "lguest.h"

	.section .head, "ax"
#ifndef GENERATION_2007_02
	.ascii "GenuineLguest"
#endif
	.globl guest_entry
guest_entry:
	movl	%eax, entry_state
	movl	%ecx, entry_state+4
	movl	%edx, entry_state+8
	movl	%ebx, entry_state+12
	movl	%esp, entry_state+16
	movl	%ebp, entry_state+20
	movl	%esi, entry_state+24
	movl	%edi, entry_state+28
	movw	%cs, entry_state+36
	movw	%ss, entry_state+38
	movw	%ds, entry_state+40
	movw	%es, entry_state+42
	movw	%fs, entry_state+44
	movw	%gs, entry_state+46
	movl	$kernel_stack_top, %esp
	pushfl
	popl	entry_state+32
	/* Nobody cleared .bss for us. */
	cld
	movl	$bss_start, %edi
	movl	$bss_end, %ecx
	subl	%edi, %ecx
	shrl	$2, %ecx
	xorl	%eax, %eax
	rep stosl
	call	guest_start
1:	jmp	1b

	/* In .data, not .bss: it is filled before .bss is cleared. */
	.data
	.globl entry_state
entry_state:
	.fill	12, 4, 0xAAAAAAAA

	/* Two pages, the most that SET_STACK lets the host pin. */
	.bss
	.balign	4096
kernel_stack:
	.skip	8192
	.globl kernel_stack_top
kernel_stack_top:

	/*
	 * The banner that tells launchers the generation.  Without a mark it
	 * is the word lguest that says whose guest this is.
	 */
	.section .rodata
	.globl linux_banner
linux_banner:
#ifdef GENERATION_2007_02
	.asciz	"lguest guest of the 2007-02 generation"
#else
	.asciz	"Linux version 2.6.23-lguest-conformance (guest kernel of the Lguest project)"
#endif
	.section .note.GNU-stack, "", @progbits
