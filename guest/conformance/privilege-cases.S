/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cases.inc"

/* ---- what neither ring may do: #GP(0), for nobody runs in ring 0 ---- */
	.macro	PRIVILEGED name, insn:vararg
CASE "\name", 13
	AT
	\insn
END
	.endm
PRIVILEGED "cli", cli
PRIVILEGED "sti", sti
PRIVILEGED "hlt", hlt
PRIVILEGED "clts", clts
PRIVILEGED "invd", invd
PRIVILEGED "wbinvd", wbinvd
PRIVILEGED "invlpg", invlpg (%ebx)
PRIVILEGED "mov from cr0", movl %cr0, %eax
PRIVILEGED "mov to cr0", movl %eax, %cr0
PRIVILEGED "mov from cr2", movl %cr2, %ecx
PRIVILEGED "mov from cr3", movl %cr3, %eax
PRIVILEGED "mov to cr3", movl %eax, %cr3
PRIVILEGED "mov from cr4", movl %cr4, %eax
PRIVILEGED "mov to cr4", movl %eax, %cr4
PRIVILEGED "mov from dr7", movl %dr7, %eax
PRIVILEGED "mov to dr0", movl %eax, %dr0
PRIVILEGED "lgdt", lgdtl (%ebx)
PRIVILEGED "lidt", lidtl (%ebx)
PRIVILEGED "lldt", lldt %ax
PRIVILEGED "ltr", ltr %ax
PRIVILEGED "lmsw", lmsw %ax
PRIVILEGED "rdmsr", rdmsr
PRIVILEGED "wrmsr", wrmsr
PRIVILEGED "sysexit", sysexit
PRIVILEGED "sysenter, which is not offered", sysenter
PRIVILEGED "insb", insb
PRIVILEGED "insl", insl
PRIVILEGED "rep insw", rep insw
PRIVILEGED "outsb", outsb
PRIVILEGED "outsl", outsl

/* ---- ports: emulated for the kernel, refused to its users ---- */
	.macro	USER_PORT name, insn:vararg
CASE "\name", 13,,,RING3
	AT
	\insn
END
	.endm
USER_PORT "in %al, imm", inb $0x70, %al
USER_PORT "in %eax, imm", inl $0x70, %eax
USER_PORT "in %al, dx", inb %dx, %al
USER_PORT "in %ax, dx", inw %dx, %ax
USER_PORT "in %eax, dx", inl %dx, %eax
USER_PORT "out imm", outb %al, $0x80
USER_PORT "out dx", outb %al, %dx
USER_PORT "outw dx", outw %ax, %dx
USER_PORT "outl dx", outl %eax, %dx

/* ---- int n where ring or vector has no business: #GP(n * 8 + 2) ---- */
	.macro	REFUSED_INT rings, vector, error
CASE "int \vector", 13, \error,, \rings
	AT
	int	$\vector
END
	.endm
REFUSED_INT BOTH_RINGS, 0x02, 0x12
REFUSED_INT BOTH_RINGS, 0x08, 0x42
REFUSED_INT BOTH_RINGS, 0x0D, 0x6A
REFUSED_INT BOTH_RINGS, 0x0E, 0x72
REFUSED_INT BOTH_RINGS, 0x07, 0x3A
REFUSED_INT BOTH_RINGS, 0x0F, 0x7A
REFUSED_INT BOTH_RINGS, 0x14, 0xA2
REFUSED_INT BOTH_RINGS, 0x20, 0x102
REFUSED_INT BOTH_RINGS, 0x21, 0x10A
REFUSED_INT BOTH_RINGS, 0x3F, 0x1FA
REFUSED_INT BOTH_RINGS, 0x40, 0x202
REFUSED_INT BOTH_RINGS, 0x7F, 0x3FA
REFUSED_INT BOTH_RINGS, 0x81, 0x40A
REFUSED_INT BOTH_RINGS, 0xFF, 0x7FA
REFUSED_INT RING3, 0x1F, 0xFA
/* Gates of privilege level 1. */
REFUSED_INT RING3, 0x00, 0x02
REFUSED_INT RING3, 0x01, 0x0A
REFUSED_INT RING3, 0x06, 0x32
CASE "int 6 through a gate of our own level", 6,,,RING1, AFTER(2)
	AT
	int	$6
END
CASE "int 0 through a gate of our own level", 0,,,RING1, AFTER(2)
	AT
	int	$0
END
CASE "int 4 through a gate of level 3", 4,,,, AFTER(2)
	AT
	int	$4
END

/* ---- returning to where one may not go ---- */
CASE "iret inwards", 13, 0x60,,RING3
	pushfl
	pushl	$KERNEL_CS
	pushl	$0
	AT
	iret
END
CASE "lret inwards", 13, 0x60,,RING3
	pushl	$KERNEL_CS
	pushl	$0
	AT
	lret
END
CASE "iret to ring 0", 13, 0x60,,RING1
	pushfl
	pushl	$0x60
	pushl	$0
	AT
	iret
END
CASE "iret to no segment", 13
	pushfl
	pushl	$0
	pushl	$0
	AT
	iret
END
CASE "iret to data", 13, 0x78
	pushfl
	pushl	$USER_DS
	pushl	$0
	AT
	iret
END
CASE "iret with NT: there is no task to return to", 10,,,,NO_FLAGS
	pushl	$0x4002
	popfl
	AT
	iret
END
