/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A notebook of four lines.  There is a bug in it, planted: docs/debugging.md
 * finds it with gdb, step by step.  Please leave it in.
 */
#include "demo.h"

#define NOTES 4
#define NOTE_SIZE 16

static struct {
	char text[NOTES][NOTE_SIZE];
	const char *title;
} book = { .title = "Your notes:" };

static u32 used;

static __attribute__((noinline)) void note_copy(char *to, const char *text)
{
	u32 i;

	for (i = 0; i < NOTE_SIZE - 1 && text[i]; i++)
		to[i] = text[i];
	to[i] = '\0';
}

static __attribute__((noinline)) void note_add(const char *text)
{
	if (used > NOTES) {
		printf("The notebook is full.\n");
		return;
	}
	note_copy((char *)book.text + used * NOTE_SIZE, text);
	used++;
}

static __attribute__((noinline)) void notes_show(void)
{
	u32 i;

	printf("%s\n", book.title);
	for (i = 0; i < used; i++)
		printf("  %u. %s\n", i + 1, (char *)book.text + i * NOTE_SIZE);
}

void cmd_note(const char *args)
{
	if (*args)
		note_add(args);
	notes_show();
}
