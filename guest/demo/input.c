/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Console input.  We bind one buffer at the console's key; the launcher fills
 * it and raises the console's interrupt.  While the buffer is full the launcher
 * keeps further input to itself, so it is enough to free it when there is room.
 */
#include "demo.h"
#include "device.h"
#include "traps.h"

#define CTRL(c) ((c) & 0x1F)

static char buffer[64] __attribute__((aligned(64)));
static struct lguest_dma dma;

static char queue[256];
static u32 head, tail;

static void on_console(struct trap_frame *f)
{
	u32 i, used = READ_ONCE(dma.used_len);

	if (used > sizeof(buffer) || sizeof(queue) - (head - tail) < used)
		return;
	for (i = 0; i < used; i++)
		queue[head++ % sizeof(queue)] = buffer[i];
	barrier();
	/* Ours no more. */
	WRITE_ONCE(dma.used_len, 0);
}

void input_init(void)
{
	u32 irq = device_find(DEVICE_CONSOLE, 0) + 1;

	irq_set_handler(irq, on_console);
	dma.addr[0] = phys(buffer);
	dma.len[0] = sizeof(buffer);
	hcall(LHCALL_BIND_DMA, CONSOLE_KEY, phys(&dma), 1 << 8 | irq);
}

int input_char(void)
{
	char c;

	for (;;) {
		/* Interrupts off, or one could slip in between looking and
		 * sleeping.  HALT wakes even so, and turns them on. */
		irqs_off();
		if (head != tail)
			break;
		/* The queue was full when the last interrupt came? */
		on_console(NULL);
		if (head != tail)
			break;
		hcall(LHCALL_HALT, 0, 0, 0);
	}
	c = queue[tail++ % sizeof(queue)];
	irqs_on();
	return c;
}

static void erase(u32 n)
{
	while (n--)
		console_write("\b \b", 3);
}

/* Finish a command's name, if only one begins like this. */
static u32 complete(char *line, u32 len, u32 size)
{
	const struct command *found = NULL;
	u32 i;

	for (i = 0; i < nr_commands; i++)
		if (!strncmp(commands[i].name, line, len)) {
			if (found)
				return len;
			found = &commands[i];
		}
	if (!found || strlen(found->name) + 2 > size)
		return len;
	i = strlen(found->name);
	memcpy(line, found->name, i);
	line[i++] = ' ';
	console_write(line + len, i - len);
	return i;
}

/* What was typed last, for cursor up. */
static char last[512];

static u32 recall(char *line, u32 len, u32 size)
{
	u32 n = strlen(last);

	if (!n || n + 1 > size)
		return len;
	erase(len);
	memcpy(line, last, n);
	console_write(line, n);
	return n;
}

int input_line(const char *prompt, char *line, u32 size)
{
	u32 len = 0, escape = 0, lost = 0;

	printf("%s", prompt);
	for (;;) {
		char c = input_char();

		/* Cursor keys and their like: ESC [ ... letter. */
		if (escape) {
			if (escape == 2 && c == 'A')
				len = recall(line, len, size);
			escape = escape == 1 && c == '[' ? 2 :
				(escape == 2 && (c < '@' || c > '~')) ? 2 : 0;
			continue;
		}
		switch (c) {
		case 27:
			escape = 1;
			break;
		case '\r':
		case '\n':
			console_write("\n", 1);
			line[len] = '\0';
			if (lost)
				printf("(a line has at most %u characters; the last %u are left out)\n",
				       size - 1, lost);
			if (len)
				snprintf(last, sizeof(last), "%s", line);
			return len;
		case CTRL('D'):
			if (len)
				break;
			console_write("\n", 1);
			return -1;
		case CTRL('C'):
			printf("^C\n%s", prompt);
			len = lost = 0;
			break;
		case '\b':
		case 127:
			if (len) {
				erase(1);
				len--;
			}
			break;
		case CTRL('U'):
			erase(len);
			len = 0;
			break;
		case CTRL('W'):
			while (len && line[len - 1] == ' ') {
				erase(1);
				len--;
			}
			while (len && line[len - 1] != ' ') {
				erase(1);
				len--;
			}
			break;
		case CTRL('L'):
			line[len] = '\0';
			printf("\033[H\033[J%s%s", prompt, line);
			break;
		case '\t':
			len = complete(line, len, size);
			break;
		default:
			if ((u8)c < ' ')
				break;
			if (len + 1 < size) {
				line[len++] = c;
				console_write(&c, 1);
			} else {
				/* A terminal beeps. */
				console_write("\a", 1);
				lost++;
			}
		}
	}
}
