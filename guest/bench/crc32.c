/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Byte by byte through a table: dependent loads. */
#include "bench.h"

u32 run_crc32(u32 repeats)
{
	static u32 table[256];
	static u8 data[65536];
	u32 crc = 0, i, j;

	for (i = 0; i < 256; i++) {
		u32 c = i;

		for (j = 0; j < 8; j++)
			c = c & 1 ? c >> 1 ^ 0xEDB88320U : c >> 1;
		table[i] = c;
	}
	for (i = 0; i < sizeof(data); i++)
		data[i] = i * 7 + (i >> 8);
	while (repeats--) {
		crc = ~0U;
		for (i = 0; i < sizeof(data); i++)
			crc = crc >> 8 ^ table[(crc ^ data[i]) & 0xFF];
		crc = ~crc;
	}
	return crc;
}
