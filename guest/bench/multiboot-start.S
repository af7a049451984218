/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A PC, from the multiboot loader's state to the first line of C at PAGE_OFFSET. */
#define MAGIC	0x1BADB002
#define FLAGS	0x00000003

	.section .head, "ax"
	.balign	4
	.long	MAGIC, FLAGS, -(MAGIC + FLAGS)
	.globl	guest_entry
guest_entry:
	cli
	movl	$boot_directory - PAGE_OFFSET, %eax
	movl	%eax, %cr3
	movl	$0x610, %eax		/* PSE, OSFXSR, OSXMMEXCPT */
	movl	%eax, %cr4
	movl	%cr0, %eax
	andl	$~0xC, %eax		/* neither EM nor TS */
	orl	$0x80010022, %eax	/* PG, WP, NE, MP */
	movl	%eax, %cr0
	movl	$1f, %eax
	jmp	*%eax
1:	movl	$kernel_stack_top, %esp
	fninit
	pushl	%ebx
	call	multiboot_main
1:	jmp	1b

	.globl	machine_iret
machine_iret:
	iret

	/* 64 MiB in large pages, where they are and at PAGE_OFFSET. */
	.data
	.balign	4096
	.globl	boot_directory
boot_directory:
	page = 0x83
	.rept	16
	.long	page
	page = page + 0x400000
	.endr
	.fill	(PAGE_OFFSET >> 22) - 16, 4, 0
	page = 0x83
	.rept	16
	.long	page
	page = page + 0x400000
	.endr
	.fill	1024 - (PAGE_OFFSET >> 22) - 16, 4, 0

	.bss
	.balign	4096
	.skip	8192
	.globl	kernel_stack_top
kernel_stack_top:
	.section .note.GNU-stack, "", @progbits
