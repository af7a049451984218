/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The programs in ring 3.  Position independent, on pages of their own, which
 * every task sees at USER_CODE.  They begin with a count in %ebp.
 */
#define __ASSEMBLY__
#include "kernel.h"

	.section .snippets, "ax"
	.globl	user_getppid, user_yield, user_touch, user_fork_child
	/* %ebp system calls; their sum is the status. */
user_getppid:
	xorl	%esi, %esi
1:	movl	$NR_GETPPID, %eax
	int	$0x80
	addl	%eax, %esi
	decl	%ebp
	jnz	1b
exit:
	movl	%esi, %ebx
	movl	$NR_EXIT, %eax
	int	$0x80

	/* %ebp turns of a little work in four pages from %edi on. */
user_yield:
	xorl	%esi, %esi
1:	addl	(%edi), %esi
	incl	4096(%edi)
	addl	8192(%edi), %esi
	incl	12288(%edi)
	movl	$NR_YIELD, %eax
	int	$0x80
	decl	%ebp
	jnz	1b
	jmp	exit

	/* Write to %ebp pages from %edi on. */
user_touch:
	xorl	%esi, %esi
1:	movl	%ebp, (%edi)
	addl	(%edi), %esi
	addl	$4096, %edi
	decl	%ebp
	jnz	1b
	jmp	exit

	/* Read %ecx pages from %edi on, then write to the first %ebp. */
user_fork_child:
	xorl	%esi, %esi
	movl	%edi, %ebx
1:	addl	4(%ebx), %esi
	addl	$4096, %ebx
	decl	%ecx
	jnz	1b
1:	incl	(%edi)
	addl	$4096, %edi
	decl	%ebp
	jnz	1b
	jmp	exit
	.section .note.GNU-stack, "", @progbits
