/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A Linux program without a libc: system calls by int $0x80. */
	.text
	.globl	_start, system_call
_start:
	movl	(%esp), %eax
	leal	4(%esp), %edx
	andl	$-16, %esp
	pushl	%edx
	pushl	%eax
	call	native_main
1:	jmp	1b

	/* u32 system_call(u32 number, a, b, c, d, e, f) */
system_call:
	pushl	%ebp
	pushl	%edi
	pushl	%esi
	pushl	%ebx
	movl	20(%esp), %eax
	movl	24(%esp), %ebx
	movl	28(%esp), %ecx
	movl	32(%esp), %edx
	movl	36(%esp), %esi
	movl	40(%esp), %edi
	movl	44(%esp), %ebp
	int	$0x80
	popl	%ebx
	popl	%esi
	popl	%edi
	popl	%ebp
	ret
	.section .note.GNU-stack, "", @progbits
