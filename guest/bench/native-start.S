/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A Linux program without a libc.  System calls go the way the kernel says is
 * its best (AT_SYSINFO in the auxiliary vector): on some machines int $0x80 is
 * a hundred times slower than that.
 */
	.text
	.globl	_start, system_call
_start:
	movl	(%esp), %eax
	leal	4(%esp), %edx
	/* Behind the arguments and the environment, each ending in 0. */
	leal	4(%edx,%eax,4), %ecx
1:	addl	$4, %ecx
	cmpl	$0, -4(%ecx)
	jne	1b
2:	movl	(%ecx), %ebx
	addl	$8, %ecx
	testl	%ebx, %ebx
	jz	3f
	cmpl	$32, %ebx
	jne	2b
	movl	-4(%ecx), %ebx
	movl	%ebx, way_in
3:
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
	call	*way_in
	popl	%ebx
	popl	%esi
	popl	%edi
	popl	%ebp
	ret
interrupt:
	int	$0x80
	ret

	.data
way_in:
	.long	interrupt
	.section .note.GNU-stack, "", @progbits
