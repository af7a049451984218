/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One linear layout: loaded at 1 MiB, run at PAGE_OFFSET + 1 MiB.  The genuine
 * launcher maps the file straight over guest memory, page by page and without
 * clearing the tail, so every segment starts on a page and the start-up code
 * clears .bss itself.
 */
OUTPUT_FORMAT(elf32-i386)
OUTPUT_ARCH(i386)
/* Linux gives the physical address here; the 2007-02 launcher relies on it. */
ENTRY(phys_entry)

PHDRS {
	text PT_LOAD FLAGS(5);
	data PT_LOAD FLAGS(6);
}

SECTIONS {
	. = PAGE_OFFSET + 0x100000;
	_text = .;
	/* The mark comes first: launchers take the first one they find. */
	.text : AT(ADDR(.text) - PAGE_OFFSET) {
		*(.head)
		*(.text .text.*)
	} :text
	/* Code that checks run in ring 3 too, through a second mapping. */
	.snippets : AT(ADDR(.snippets) - PAGE_OFFSET) {
		. = ALIGN(4096);
		snippets_start = .;
		*(.snippets)
		. = ALIGN(4096);
		snippets_end = .;
	} :text
	.rodata : AT(ADDR(.rodata) - PAGE_OFFSET) {
		*(.rodata .rodata.*)
		. = ALIGN(4);
		cases_start = .;
		*(.cases)
		cases_end = .;
	} :text
	. = ALIGN(4096);
	.data : AT(ADDR(.data) - PAGE_OFFSET) {
		*(.data .data.*)
	} :data
	.bss : AT(ADDR(.bss) - PAGE_OFFSET) {
		bss_start = .;
		*(.bss .bss.* COMMON)
		. = ALIGN(4096);
		bss_end = .;
	} :data
	_end = .;
	phys_entry = guest_entry - PAGE_OFFSET;
	/DISCARD/ : { *(.comment) *(.note*) *(.eh_frame*) }
}
