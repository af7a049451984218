/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cases.inc"
#include "segments.h"

	/* Load a selector where it does not belong. */
	.macro	BAD_LOAD name, reg, selector, vector, error, rings=BOTH_RINGS
CASE "\name", \vector, \error,, \rings
	movl	$\selector, %eax
	AT
	movw	%ax, %\reg
END
	.endm

BAD_LOAD "ds absent", ds, SEG_ABSENT|1, 11, SEG_ABSENT, RING1
BAD_LOAD "ds absent", ds, SEG_ABSENT3|3, 11, SEG_ABSENT3, RING3
BAD_LOAD "es absent", es, SEG_ABSENT3|3, 11, SEG_ABSENT3
BAD_LOAD "fs absent", fs, SEG_ABSENT3|3, 11, SEG_ABSENT3
BAD_LOAD "gs absent", gs, SEG_ABSENT3|3, 11, SEG_ABSENT3
BAD_LOAD "ss absent", ss, SEG_ABSENT|1, 12, SEG_ABSENT, RING1
BAD_LOAD "ss absent", ss, SEG_ABSENT3|3, 12, SEG_ABSENT3, RING3
BAD_LOAD "ds beyond the GDT", ds, 0x103, 13, 0x100
BAD_LOAD "gs far beyond the GDT", gs, 0xFFFB, 13, 0xFFF8
BAD_LOAD "ds from an LDT that is not there", ds, 0x0F, 13, 0x0C
BAD_LOAD "es execute-only code", es, SEG_XO|3, 13, SEG_XO
BAD_LOAD "fs system descriptor", fs, SEG_SYSTEM|1, 13, SEG_SYSTEM
BAD_LOAD "ds empty descriptor", ds, 0x18, 13, 0x18
BAD_LOAD "ds of ring 1", ds, KERNEL_DS, 13, 0x68, RING3
BAD_LOAD "ds of ring 1, asked for as 3", ds, 0x6B, 13, 0x68, RING1
BAD_LOAD "ds made DPL 1 by the host", ds, SEG_DPL0|3, 13, SEG_DPL0, RING3
BAD_LOAD "ss null", ss, 0, 13, 0
BAD_LOAD "ss null of our level", ss, 1, 13, 0, RING1
BAD_LOAD "ss with RPL 0", ss, 0x68, 13, 0x68, RING1
BAD_LOAD "ss of ring 3", ss, USER_DS, 13, 0x78, RING1
BAD_LOAD "ss of ring 1", ss, KERNEL_DS, 13, 0x68, RING3
BAD_LOAD "ss read-only", ss, SEG_RO|3, 13, SEG_RO
BAD_LOAD "ss code", ss, USER_CS, 13, 0x70
BAD_LOAD "ss beyond the GDT", ss, 0x103, 13, 0x100

CASE "pop ds, absent", 11, SEG_ABSENT3
	pushl	$SEG_ABSENT3|3
	AT
	popl	%ds
END
CASE "pop gs, beyond", 13, 0x100
	pushl	$0x100
	AT
	popl	%gs
END
CASE "lds, absent", 11, SEG_ABSENT3
	movl	$0x12345678, (%ebx)
	movw	$SEG_ABSENT3|3, 4(%ebx)
	AT
	lds	(%ebx), %eax
END
CASE "lss, bad", 13, 0x100
	movl	$0x12345678, (%ebx)
	movw	$0x103, 4(%ebx)
	AT
	lss	(%ebx), %esp
END

	.macro	BAD_FAR name, selector, vector, error, rings=BOTH_RINGS
CASE "ljmp \name", \vector, \error,, \rings
	AT
	ljmp	$\selector, $0
END
CASE "lcall \name", \vector, \error,, \rings
	AT
	lcall	$\selector, $0
END
CASE "lret \name", \vector, \error,, \rings
	pushl	$\selector|3
	pushl	$0
	AT
	lret
END
	.endm
BAD_FAR "to data", USER_DS, 13, 0x78
BAD_FAR "beyond the GDT", 0x103, 13, 0x100
BAD_FAR "to absent code", SEG_ABSENT_CODE|3, 11, SEG_ABSENT_CODE, RING3
BAD_FAR "to the kernel", 0x63, 13, 0x60, RING3
CASE "ljmp to null", 13
	AT
	ljmp	$0, $0
END
CASE "lret to null", 13
	pushl	$0
	pushl	$0
	AT
	lret
END
CASE "ljmp to ring 3", 13, 0x70,,RING1
	AT
	ljmp	$USER_CS, $0
END
CASE "lcall to ring 3", 13, 0x70,,RING1
	AT
	lcall	$USER_CS, $0
END
CASE "mov through cs is not writable", 13,,,, NOT_TCG
	AT
	movl	%eax, %cs:(%ebx)
END
CASE "write through read-only data", 13,,,, NOT_TCG
	movl	$SEG_RO|3, %eax
	movw	%ax, %es
	AT
	movl	%eax, %es:(%ebx)
END
CASE "read through a null segment", 13,,,, NOT_TCG
	xorl	%eax, %eax
	movw	%ax, %es
	AT
	movl	%es:(%ebx), %eax
END
CASE "write through null ds", 13,,,, NOT_TCG
	xorl	%eax, %eax
	movw	%ax, %ds
	AT
	movl	%eax, (%ebx)
END
CASE "stos through null es", 13,,,, NOT_TCG
	xorl	%eax, %eax
	movw	%ax, %es
	movl	%ebx, %edi
	AT
	stosl
END
CASE "xlat through null ds", 13,,,, NOT_TCG
	xorl	%eax, %eax
	movw	%ax, %ds
	AT
	xlatb
END

	/* 16 bytes, of which the last dword is at 12. */
	.macro	LIMIT name, insn:vararg
CASE "\name beyond the limit", 13,,,, NOT_TCG
	movl	$SEG_SMALL|3, %eax
	movw	%ax, %gs
	AT
	\insn
END
	.endm
LIMIT "read of a dword", movl %gs:13, %eax
LIMIT "write of a dword", movl %eax, %gs:13
LIMIT "read of a byte", movb %gs:16, %al
LIMIT "word", movw %ax, %gs:15
LIMIT "far away", movl %gs:0x40000000, %eax
LIMIT "negative", movl %gs:-4, %eax
LIMIT "rmw", incl %gs:14
LIMIT "push from", pushl %gs:14
LIMIT "fld", fldl %gs:9
LIMIT "movups", movups %gs:1, %xmm0
LIMIT "cmpxchg8b", cmpxchg8b %gs:9
CASE "lods beyond the limit", 13,,,, NOT_TCG
	movl	$SEG_SMALL|3, %eax
	movw	%ax, %gs
	movl	$13, %esi
	AT
	lodsl	%gs:(%esi)
END
CASE "stack beyond the limit", 12,,,RING3, NOT_TCG
	movl	$SEG_SMALL|3, %eax
	movw	%ax, %ss
	movl	$0x20, %esp
	AT
	pushl	%eax
END
CASE "access by ebp beyond the stack's limit", 12,,,RING3, NOT_TCG
	movl	$SEG_SMALL|3, %eax
	movw	%ax, %ss
	movl	$0x40, %ebp
	AT
	movl	(%ebp), %eax
END
CASE "expand-down segment below its limit", 13,,,, NOT_TCG
	movl	$SEG_DOWN|3, %eax
	movw	%ax, %gs
	AT
	movl	%gs:0xFFC, %eax
END
