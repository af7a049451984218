/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ways into the kernel and out of it, after Linux 2.6.23's entry.S. */
#define __ASSEMBLY__
#include "kernel.h"
#include "lguest.h"

	.macro	save_all
	cld
	pushl	%fs
	pushl	%es
	pushl	%ds
	pushl	%eax
	pushl	%ebp
	pushl	%edi
	pushl	%esi
	pushl	%edx
	pushl	%ecx
	pushl	%ebx
	movl	$USER_DS, %edx
	movl	%edx, %ds
	movl	%edx, %es
	movl	$PERCPU_SELECTOR, %edx
	movl	%edx, %fs
	incl	%fs:0
	.endm

	.text
	.globl	entry_system_call, entry_page_fault, first_return, switch_stacks
entry_system_call:
	pushl	%eax
	save_all
	cmpl	$NR_CALLS, %eax
	jae	1f
	call	*system_calls(,%eax,4)
1:	movl	%eax, 24(%esp)
	jmp	restore

entry_page_fault:
	save_all
	movl	%esp, %eax
	pushl	%eax
	call	page_fault
first_return:
	addl	$4, %esp
restore:
	popl	%ebx
	popl	%ecx
	popl	%edx
	popl	%esi
	popl	%edi
	popl	%ebp
	popl	%eax
	popl	%ds
	popl	%es
	popl	%fs
	addl	$4, %esp
	jmp	machine_iret

	/* void switch_stacks(u32 *save, u32 esp) */
switch_stacks:
	movl	4(%esp), %eax
	movl	8(%esp), %edx
	pushl	%ebp
	pushl	%edi
	pushl	%esi
	pushl	%ebx
	movl	%esp, (%eax)
	movl	%edx, %esp
	popl	%ebx
	popl	%esi
	popl	%edi
	popl	%ebp
	ret
	.section .note.GNU-stack, "", @progbits
