/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program for ring 3.  It does not know where it will be loaded and can
 * touch nothing but its own pages; all it can do is ask.
 *
 *	eax 1 exit	ebx status
 *	eax 4 write	ebx text, ecx length
 *	eax 20 getpid
 */
	.section .snippets, "ax"
	.globl user_program
user_program:
	call	1f
1:	popl	%ebp
	leal	hello-1b(%ebp), %ebx
	movl	$hello_end-hello, %ecx
	movl	$4, %eax
	int	$0x80

	movl	$20, %eax
	int	$0x80

	/*
	 * Our pages are read-only: copy the sentence to the stack, and turn
	 * the code segment's low bits, the ring, into a digit there.
	 */
	subl	$(ring_end-ring+3)&~3, %esp
	movl	%esp, %edi
	leal	ring-1b(%ebp), %esi
	movl	$ring_end-ring, %ecx
	cld
	rep movsb
	movl	%cs, %eax
	andb	$3, %al
	addb	%al, ring_digit-ring(%esp)
	movl	%esp, %ebx
	movl	$ring_end-ring, %ecx
	movl	$4, %eax
	int	$0x80

	leal	naughty-1b(%ebp), %ebx
	movl	$naughty_end-naughty, %ecx
	movl	$4, %eax
	int	$0x80
	cli
	/* Nobody comes here. */
	movl	$1, %eax
	xorl	%ebx, %ebx
	int	$0x80

hello:	.ascii	"  [ring 3] Hello, this is a user program asking the kernel to write.\n"
hello_end:
ring:	.ascii	"  [ring 3] My code segment says that I run in ring "
ring_digit:
	.ascii	"0.\n"
ring_end:
naughty:
	.ascii	"  [ring 3] Now I try to turn interrupts off...\n"
naughty_end:
	.section .note.GNU-stack, "", @progbits
