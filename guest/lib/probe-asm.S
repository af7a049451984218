/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * probe_enter() leaves for the snippet; probe_resume(), called from the trap
 * that ended it, returns from probe_enter() a second time, like longjmp().
 */
	.text
	.globl probe_enter, probe_resume
probe_enter:
	pushl	%ebx
	pushl	%esi
	pushl	%edi
	pushl	%ebp
	movl	%esp, probe_saved_esp
	/* An iret frame already waits there; nothing below it is precious. */
	movl	probe_frame, %esp
	movl	probe_in+4, %ecx
	movl	probe_in+8, %edx
	movl	probe_in+12, %ebx
	movl	probe_in+20, %ebp
	movl	probe_in+24, %esi
	movl	probe_in+28, %edi
	movw	probe_in+46, %es
	movw	probe_in+48, %fs
	movw	probe_in+50, %gs
	movl	probe_in+0, %eax
	/* Last, for it may well be a segment we cannot use. */
	movw	probe_in+44, %ds
	iret

probe_resume:
	movl	probe_saved_esp, %esp
	xorl	%eax, %eax
	movl	%eax, %fs
	movl	%eax, %gs
	popl	%ebp
	popl	%edi
	popl	%esi
	popl	%ebx
	ret

	.bss
	.balign	4
probe_saved_esp:
	.long	0
	/* Ring 1's own stack while it is being probed. */
	.balign	4096
	.globl probe_stack, probe_stack_top
probe_stack:
	.skip	8192
probe_stack_top:
	.section .note.GNU-stack, "", @progbits
