/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "console.h"
#include "hcall.h"
#include "string.h"

/* [G:200+28] Saying something
 * The console is a key. Whatever is sent there is printed, at once: the call
 * comes back when the launcher has taken it. This is how the demo's greeting
 * reaches your terminal, and it is worth following to the other end: from here
 * to [L:220], [D:120] and [D:150].
 */
void console_write(const char *s, u32 len)
{
	static struct lguest_dma dma;
	static char buf[512];

	while (len) {
		u32 chunk = len < sizeof(buf) ? len : sizeof(buf);
		u32 off = phys(buf) % PAGE_SIZE;

		/* A copy, because `s` may be any mapping; only linear memory
		 * has a physical address we can name.  No section may cross a
		 * page, so two of them at worst. */
		memcpy(buf, s, chunk);
		dma.used_len = 0;
		dma.addr[0] = phys(buf);
		dma.len[0] = chunk;
		dma.len[1] = 0;
		if (off + chunk > PAGE_SIZE) {
			dma.len[0] = PAGE_SIZE - off;
			dma.addr[1] = phys(buf) + dma.len[0];
			dma.len[1] = chunk - dma.len[0];
			dma.len[2] = 0;
		}
		hcall(LHCALL_SEND_DMA, CONSOLE_KEY, phys(&dma), 0);
		s += chunk;
		len -= chunk;
	}
}

struct out {
	char *buf;
	u32 len, size;
};

static void put(struct out *o, char c)
{
	if (o->len + 1 < o->size)
		o->buf[o->len++] = c;
}

static void format(struct out *o, const char *fmt, __builtin_va_list ap)
{
	for (; *fmt; fmt++) {
		char tmp[12], pad = ' ';
		const char *s = tmp;
		u32 width = 0, n, val, base = 10;
		bool left = false, negative = false;

		if (*fmt != '%') {
			put(o, *fmt);
			continue;
		}
		fmt++;
		if (*fmt == '-') {
			left = true;
			fmt++;
		}
		if (*fmt == '0') {
			pad = '0';
			fmt++;
		}
		while (*fmt >= '0' && *fmt <= '9')
			width = width * 10 + *fmt++ - '0';
		switch (*fmt) {
		case 's':
			s = __builtin_va_arg(ap, const char *);
			n = strlen(s);
			break;
		case 'c':
			tmp[0] = __builtin_va_arg(ap, int);
			n = 1;
			break;
		case 'p':
			put(o, '0');
			put(o, 'x');
			width = 8;
			pad = '0';
			/* fall through */
		case 'x':
			base = 16;
			/* fall through */
		case 'u':
		case 'd':
			val = __builtin_va_arg(ap, u32);
			if (*fmt == 'd' && (s32)val < 0) {
				negative = true;
				val = -val;
			}
			n = sizeof(tmp);
			do
				tmp[--n] = "0123456789abcdef"[val % base];
			while (val /= base);
			if (negative)
				tmp[--n] = '-';
			s = tmp + n;
			n = sizeof(tmp) - n;
			break;
		default:
			put(o, *fmt);
			continue;
		}
		for (; !left && width > n; width--)
			put(o, pad);
		for (val = 0; val < n; val++)
			put(o, s[val]);
		for (; left && width > n; width--)
			put(o, ' ');
	}
	o->buf[o->len] = '\0';
}

void printf(const char *fmt, ...)
{
	static char line[512];
	struct out o = { line, 0, sizeof(line) };
	__builtin_va_list ap;

	__builtin_va_start(ap, fmt);
	format(&o, fmt, ap);
	__builtin_va_end(ap);
	console_write(line, o.len);
}

void vsnprintf(char *buf, u32 size, const char *fmt, __builtin_va_list ap)
{
	struct out o = { buf, 0, size };

	format(&o, fmt, ap);
}

void snprintf(char *buf, u32 size, const char *fmt, ...)
{
	__builtin_va_list ap;

	__builtin_va_start(ap, fmt);
	vsnprintf(buf, size, fmt, ap);
	__builtin_va_end(ap);
}
