/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cases.inc"

/* ---- 0: divide error ---- */
CASE "div by zero", 0,,,,NO_FLAGS
	xorl	%ecx, %ecx
	AT
	divl	%ecx
END
CASE "divb by zero", 0,,,,NO_FLAGS
	xorl	%ecx, %ecx
	AT
	divb	%cl
END
CASE "divw overflow", 0,,,,NO_FLAGS
	AT
	divw	%cx
END
CASE "divl quotient too large", 0,,,,NO_FLAGS
	AT
	divl	%ecx
END
CASE "idivl most negative by -1", 0,,,,NO_FLAGS
	movl	$0x80000000, %eax
	cltd
	movl	$-1, %ecx
	AT
	idivl	%ecx
END
CASE "idivl from memory", 0,,,,NO_FLAGS
	movl	$0, (%ebx)
	AT
	idivl	(%ebx)
END
CASE "aam by zero", 0,,,,NO_FLAGS
	AT
	aam	$0
END

/* ---- 3, 4, 5: asked for ---- */
CASE "int3", 3,,,,AFTER(1)
	AT
	int3
END
CASE "int 3 in two bytes", 3,,,,AFTER(2)
	AT
	.byte	0xCD, 3
END
CASE "into with OF", 4,,,,AFTER(1)
	AT
	into
END
CASE "bound below", 5
	movl	$0x20000000, (%ebx)
	movl	$0x30000000, 4(%ebx)
	AT
	bound	%eax, (%ebx)
END
CASE "bound above", 5
	movl	$0, (%ebx)
	movl	$0x11223343, 4(%ebx)
	AT
	bound	%eax, (%ebx)
END
CASE "boundw is signed", 5
	movw	$0, (%ebx)
	movw	$0x7000, 2(%ebx)
	movl	$0xFFFF, %eax
	AT
	boundw	%ax, (%ebx)
END

/* ---- 6: invalid opcode ---- */
	.macro	BAD_OPCODE name, bytes:vararg
CASE "\name", 6
	AT
	.byte	\bytes
END
	.endm
	.macro	BAD_OPCODE_HW name, bytes:vararg
CASE "\name", 6,,,,NOT_TCG
	AT
	.byte	\bytes
END
	.endm
BAD_OPCODE "ud2", 0x0F, 0x0B
BAD_OPCODE "ud0", 0x0F, 0xFF, 0xC0
BAD_OPCODE "lea of a register", 0x8D, 0xC0
BAD_OPCODE "mov to cs", 0x8E, 0xC8
BAD_OPCODE "mov to segment 7", 0x8E, 0xF8
BAD_OPCODE "mov from segment 6", 0x8C, 0xF0
BAD_OPCODE "lock add to a register", 0xF0, 0x01, 0xC0
BAD_OPCODE_HW "lock mov", 0xF0, 0x89, 0x03
BAD_OPCODE "lock cmp", 0xF0, 0x39, 0x03
BAD_OPCODE_HW "lock bt", 0xF0, 0x0F, 0xA3, 0x03
BAD_OPCODE "lock nop", 0xF0, 0x90
BAD_OPCODE "lock add from memory", 0xF0, 0x03, 0x03
BAD_OPCODE "inc group, 7", 0xFF, 0xF8
BAD_OPCODE "inc byte group, 2", 0xFE, 0xD0
BAD_OPCODE "far call of a register", 0xFF, 0xD8
BAD_OPCODE "far jump of a register", 0xFF, 0xE8
BAD_OPCODE "cmpxchg8b of a register", 0x0F, 0xC7, 0xC8
BAD_OPCODE_HW "mov to an immediate group, 1", 0xC6, 0xC8, 0x00
BAD_OPCODE "rsm", 0x0F, 0xAA
BAD_OPCODE "syscall", 0x0F, 0x05
BAD_OPCODE "bit test group, 3", 0x0F, 0xBA, 0xD8, 0x00
/* Sixteen bytes: one too many. */
CASE "instruction too long", 13
	AT
	.fill	15, 1, 0x66
	nop
END

/* ---- 14: plain accesses ---- */
CASE "read absent page", 14, 0, P_NONE
	AT
	movl	(%edi), %eax
END
CASE "write absent page", 14, 2, P_NONE
	AT
	movl	%eax, (%edi)
END
CASE "read absent by moffs", 14, 0, P_NONE+0x123
	AT
	movl	P_NONE+0x123, %eax
END
CASE "write absent by moffs", 14, 2, P_NONE+0xFFF
	AT
	movb	%al, P_NONE+0xFFF
END
CASE "write read-only page", 14, 3, P_RO
	AT
	movl	%eax, P_RO
END
CASE "write immediate to read-only page", 14, 3, P_RO+8
	AT
	movl	$1, P_RO+8
END
CASE "write byte at the end of a read-only page", 14, 3, P_RO+0xFFF
	AT
	movb	%al, P_RO+0xFFF
END
CASE "supervisor writes its read-only page", 14, 3, P_SUPRO, RING1
	AT
	movl	%eax, P_SUPRO
END
CASE "user reads supervisor page", 14, 1, P_SUP, RING3
	AT
	movl	P_SUP, %eax
END
CASE "user writes supervisor page", 14, 3, P_SUP+4, RING3
	AT
	movl	%eax, P_SUP+4
END
CASE "user writes read-only supervisor page", 14, 3, P_SUPRO, RING3
	AT
	movl	%eax, P_SUPRO
END
CASE "read across into absent page", 14, 0, P_NONE
	AT
	movl	P_NONE-2, %eax
END
CASE "write across into absent page", 14, 2, P_NONE
	AT
	movl	%eax, P_NONE-1
END
CASE "word write across into absent page", 14, 2, P_NONE
	AT
	movw	%ax, P_NONE-1
END
CASE "read across from absent page", 14, 0, P_RO-2
	AT
	movl	P_RO-2, %eax
END
CASE "write across into read-only page", 14, 3, P_RO3
	AT
	movl	%eax, P_RO3-3
END
CASE "base, index and displacement", 14, 0, P_NONE+12+0x10
	AT
	movl	0x10(%edi,%ecx,4), %eax
END
CASE "movzbl", 14, 0, P_NONE
	AT
	movzbl	(%edi), %eax
END
CASE "movswl", 14, 0, P_NONE
	AT
	movswl	(%edi), %ecx
END
CASE "cmov reads although its condition is false", 14, 0, P_NONE
	AT
	cmovncl	(%edi), %eax
END
CASE "setcc", 14, 3, P_RO
	AT
	setc	P_RO
END
CASE "xlat", 14, 0, P_NONE+0x44
	movl	%edi, %ebx
	AT
	xlatb
END
CASE "segment register store", 14, 2, P_NONE
	AT
	movw	%ds, (%edi)
END
CASE "segment register load", 14, 0, P_NONE
	AT
	movw	(%edi), %es
END
CASE "les", 14, 0, P_NONE
	AT
	les	(%edi), %eax
END
CASE "les across into absent page", 14, 0, P_NONE
	AT
	les	P_NONE-4, %eax
END
CASE "bound", 14, 0, P_NONE
	AT
	bound	%eax, (%edi)
END
CASE "cmp with memory", 14, 0, P_NONE
	AT
	cmpl	%eax, (%edi)
END
CASE "test with memory", 14, 0, P_NONE
	AT
	testb	$1, (%edi)
END
CASE "add from memory", 14, 0, P_NONE
	AT
	addl	(%edi), %eax
END
CASE "mul", 14, 0, P_NONE
	AT
	mull	(%edi)
END
CASE "imul of two operands", 14, 0, P_NONE
	AT
	imull	(%edi), %eax
END
CASE "div", 14, 0, P_NONE
	AT
	divl	(%edi)
END
CASE "bsf", 14, 0, P_NONE
	AT
	bsfl	(%edi), %eax
END

/* ---- 14: read-modify-write; nothing may be half done ---- */
	.macro	RMW name, insn:vararg
CASE "\name, read-only", 14, 3, P_RO
	movl	$P_RO, %edi
	AT
	\insn
END
CASE "\name, absent", 14, 2, P_NONE,, ANY_W
	AT
	\insn
END
	.endm
RMW "inc", incl (%edi)
RMW "dec byte", decb (%edi)
RMW "add", addl %eax, (%edi)
RMW "adc", adcl %eax, (%edi)
RMW "sbb immediate", sbbl $1, (%edi)
RMW "or", orl $1, (%edi)
RMW "not", notl (%edi)
RMW "neg", negl (%edi)
RMW "shl", shll $3, (%edi)
CASE "rcl, read-only", 14, 3, P_RO,, NOT_TCG
	AT
	rcll	%cl, P_RO
END
RMW "shld", shldl $3, %eax, (%edi)
RMW "bts", btsl $3, (%edi)
RMW "lock inc", lock incl (%edi)
RMW "lock add", lock addl %eax, (%edi)
RMW "xchg", xchgl %eax, (%edi)
RMW "xchg byte", xchgb %ah, (%edi)
RMW "xadd", xaddl %eax, (%edi)
RMW "lock xadd", lock xaddl %eax, (%edi)
RMW "cmpxchg that fails", cmpxchgl %edx, (%edi)
RMW "lock cmpxchg", lock cmpxchgl %edx, (%edi)
RMW "cmpxchg8b", cmpxchg8b (%edi)
RMW "lock cmpxchg8b", lock cmpxchg8b (%edi)
CASE "rmw across into read-only page", 14, 3, P_RO3,,ANY_W
	AT
	incl	P_RO3-2
END
CASE "bt far from its base", 14, 0, P_NONE
	movl	$0x8000, %eax
	AT
	btl	%eax, (%ebx)
END
CASE "bts far below its base", 14, 2, P_NONE+0xFFC,,ANY_W
	movl	$-1, %eax
	movl	$P_RO, %edi
	AT
	btsl	%eax, (%edi)
END

/* ---- 14: string instructions ---- */
CASE "movs to absent page", 14, 2, P_NONE
	AT
	movsl
END
CASE "movs to read-only page", 14, 3, P_RO
	movl	$P_RO, %edi
	AT
	movsb
END
CASE "movs from absent page", 14, 0, P_NONE
	movl	$P_NONE, %esi
	movl	$P_RW, %edi
	AT
	movsw
END
CASE "stos", 14, 3, P_RO
	movl	$P_RO, %edi
	AT
	stosl
END
CASE "lods", 14, 0, P_NONE
	movl	%edi, %esi
	AT
	lodsl
END
CASE "scas", 14, 0, P_NONE
	AT
	scasb
END
CASE "cmps", 14, 0, P_NONE
	AT
	cmpsl
END
CASE "rep movs, nothing done yet", 14, 2, P_NONE
	AT
	rep movsl
END
CASE "repne scas, nothing done yet", 14, 0, P_NONE
	AT
	repne scasb
END

/* ---- 14: the stack, while the other operand is fine ---- */
CASE "push from absent page", 14, 0, P_NONE
	AT
	pushl	(%edi)
END
CASE "pop to absent page", 14, 2, P_NONE
	AT
	popl	(%edi)
END
CASE "pop to read-only page", 14, 3, P_RO
	AT
	popl	P_RO
END
CASE "call through absent page", 14, 0, P_NONE
	AT
	call	*(%edi)
END
CASE "jmp through absent page", 14, 0, P_NONE
	AT
	jmp	*(%edi)
END
CASE "lcall through absent page", 14, 0, P_NONE
	AT
	lcall	*(%edi)
END
CASE "ljmp through absent page", 14, 0, P_NONE
	AT
	ljmp	*(%edi)
END
CASE "leave", 14, 0, P_NONE
	movl	%edi, %ebp
	AT
	leave
END

/*
 * ---- 14: the stack itself ----
 * Ring 3 only: a ring 1 without a stack has nowhere to be told about it.
 */
	.macro	BAD_PUSH name, insn:vararg
CASE "\name without a stack", 14, 2, P_STK-4, RING3
	movl	$P_STK, %esp
	AT
	\insn
END
	.endm
BAD_PUSH "push register", pushl %eax
BAD_PUSH "push immediate", pushl $5
BAD_PUSH "push segment", pushl %gs
BAD_PUSH "push memory", pushl (%ebx)
BAD_PUSH "push %esp", pushl %esp
BAD_PUSH "pushf", pushfl
BAD_PUSH "call", call .
BAD_PUSH "call register", call *%eax
BAD_PUSH "call memory", call *(%ebx)
BAD_PUSH "enter", enter $16, $0
CASE "pushw without a stack", 14, 2, P_STK-2, RING3
	movl	$P_STK, %esp
	AT
	pushw	%ax
END
CASE "push across into absent page", 14, 2, P_STK-2, RING3
	movl	$P_STK+2, %esp
	AT
	pushl	%eax
END
CASE "pusha without a stack", 14, 2, P_STK-4, RING3, NO_CR2
	movl	$P_STK, %esp
	AT
	pusha
END
CASE "pusha half way", 14, 2, P_STK-4, RING3, NO_CR2
	movl	$P_STK+16, %esp
	AT
	pusha
END
CASE "enter, nested, half way", 14, 2, P_STK-4, RING3, NO_CR2
	movl	$P_STK+8, %esp
	AT
	enter	$8, $3
END
CASE "lcall without a stack", 14, 2, P_STK-4, RING3, (NO_CR2|NOT_TCG)
	movl	$P_STK, %esp
	AT
	lcall	$USER_CS, $0x08000000
END
	.macro	BAD_POP name, insn:vararg
CASE "\name without a stack", 14, 0, P_NONE, RING3
	movl	$P_NONE, %esp
	AT
	\insn
END
	.endm
BAD_POP "pop register", popl %eax
BAD_POP "pop segment", popl %es
BAD_POP "pop memory", popl (%ebx)
BAD_POP "pop %esp", popl %esp
BAD_POP "popf", popfl
BAD_POP "ret", ret
BAD_POP "ret n", ret $8
CASE "popa without a stack", 14, 0, P_NONE, RING3, NO_CR2
	movl	$P_NONE, %esp
	AT
	popa
END
/* Intel's loads the registers it can before it faults. */
CASE "popa half way", 14, 0, P_NONE3, RING3, (NO_CR2|ONLY_ESP)
	movl	$P_NONE3-16, %esp
	AT
	popa
END
CASE "lret half way", 14, 0, P_NONE3, RING3, NOT_TCG
	movl	$P_NONE3-4, %esp
	AT
	lret
END
CASE "iret half way", 14, 0, P_NONE3, RING3, NOT_TCG
	movl	$P_NONE3-8, %esp
	AT
	iret
END
CASE "pop across into absent page", 14, 0, P_NONE3, RING3
	movl	$P_NONE3-2, %esp
	AT
	popl	%eax
END
CASE "leave with a bad frame pointer", 14, 0, P_NONE3, RING3
	movl	$P_NONE3, %ebp
	AT
	leave
END

/* ---- 14: the floating-point and vector units ---- */
CASE "fld", 14, 0, P_NONE
	AT
	fldl	(%edi)
END
CASE "fst", 14, 3, P_RO
	fninit
	fld1
	AT
	fstl	P_RO
END
CASE "fild", 14, 0, P_NONE
	AT
	fildll	(%edi)
END
CASE "fnstcw", 14, 2, P_NONE
	AT
	fnstcw	(%edi)
END
CASE "movups load", 14, 0, P_NONE
	AT
	movups	(%edi), %xmm0
END
CASE "movups store", 14, 3, P_RO
	AT
	movups	%xmm0, P_RO
END
CASE "movq store of mmx", 14, 3, P_RO
	AT
	movq	%mm0, P_RO
END
CASE "movaps misaligned", 13
	AT
	movaps	4(%ebx), %xmm0
END
CASE "paddd misaligned", 13
	AT
	paddd	4(%ebx), %xmm0
END
