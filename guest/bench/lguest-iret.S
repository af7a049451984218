/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Out of the kernel as Linux under lguest: see guest/lib/traps-asm.S. */
#define __ASSEMBLY__
#include "lguest.h"

	.text
	.globl	machine_iret
machine_iret:
	pushl	%eax
	movl	12(%esp), %eax
	andl	$X86_EFLAGS_IF, %eax
	movl	%eax, %ss:lguest_data
	popl	%eax
	iret
	.section .note.GNU-stack, "", @progbits
