/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Output goes to key 0 by SEND_DMA; input arrives in whatever buffer is bound
 * there.  printf() knows %d %u %x %s %c %p with width and zero padding.
 */
#ifndef GUEST_CONSOLE_H
#define GUEST_CONSOLE_H
#include "types.h"

void console_write(const char *s, u32 len);
void printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void snprintf(char *buf, u32 size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void vsnprintf(char *buf, u32 size, const char *fmt, __builtin_va_list ap);

#endif
