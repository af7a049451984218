/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One stub per vector.  Those for which the processor pushes no error code
 * push a zero, so that all frames look alike.
 */
#define __ASSEMBLY__
#include "lguest.h"

	.text
	.macro	trap_stub vector, has_error
	.section .rodata.stubs, "a"
	.long	1f
	.text
1:
	.if	\has_error == 0
	pushl	$0
	.endif
	pushl	$\vector
	jmp	trap_common
	.endm

	.macro	no_stub
	.section .rodata.stubs, "a"
	.long	0
	.text
	.endm

	.section .rodata.stubs, "a"
	.balign	4
	.globl trap_stubs
trap_stubs:
	.text
	trap_stub 0, 0
	trap_stub 1, 0
	no_stub			/* 2 NMI: the host's */
	trap_stub 3, 0
	trap_stub 4, 0
	trap_stub 5, 0
	trap_stub 6, 0
	trap_stub 7, 0
	no_stub			/* 8 double fault: the host's */
	trap_stub 9, 0
	trap_stub 10, 1
	trap_stub 11, 1
	trap_stub 12, 1
	trap_stub 13, 1
	trap_stub 14, 1
	no_stub			/* 15 spurious */
	trap_stub 16, 0
	trap_stub 17, 1
	trap_stub 18, 0
	trap_stub 19, 0
	vector = 20
	.rept	11
	no_stub
	vector = vector + 1
	.endr
	no_stub			/* 31 is the hypercall */
	.altmacro
	vector = 32
	.rept	32
	trap_stub %vector, 0
	vector = vector + 1
	.endr
	.noaltmacro

	.globl syscall_stub
syscall_stub:
	pushl	$0
	pushl	$SYSCALL_VECTOR

trap_common:
	pusha
	pushl	%ds
	pushl	%es
	pushl	%fs
	pushl	%gs
	/* TF, DF and NT belong to whoever was interrupted, not to us. */
	pushl	$2
	popfl
	movl	$KERNEL_DS, %eax
	movl	%eax, %ds
	movl	%eax, %es
	/* A frame of its own, for whoever follows frame pointers from here
	 * to the code that was interrupted. */
	movl	%esp, %eax
	pushl	14*4(%eax)
	pushl	%ebp
	movl	%esp, %ebp
	pushl	%eax
	call	trap_enter
	addl	$12, %esp
	popl	%gs
	popl	%fs
	popl	%es
	popl	%ds
	popa
	addl	$8, %esp

	/* [G:180+13] The way back
	 * The processor ignores IF in our ring, so iret cannot re-enable
	 * interrupts: we publish the flag ourselves, and the host promises
	 * not to interrupt between that and the iret, where a second frame
	 * would be put on top of the one that is about to be used.  %ds may
	 * already be the interrupted program's: only %ss is known to be good.
	 */
	pushl	%eax
	movl	12(%esp), %eax
	andl	$X86_EFLAGS_IF, %eax
	.globl noirq_start, noirq_end
noirq_start:
	movl	%eax, %ss:lguest_data
	popl	%eax
	.globl trap_iret
trap_iret:
	iret
	/* For a check: a place to linger where no interrupt may arrive. */
	.globl noirq_spin
noirq_spin:
	decl	%eax
	jnz	noirq_spin
	ret
noirq_end:

	.bss
	.balign	4096
	.skip	8192
	.globl kernel_trap_stack_top
kernel_trap_stack_top:
	.section .note.GNU-stack, "", @progbits
