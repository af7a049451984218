/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The descriptors segments.c puts into the GDT, as selectors (RPL 0). */
#ifndef SEGMENTS_H
#define SEGMENTS_H
#define SEG_ABSENT	0x90	/* data, not present, DPL 1 */
#define SEG_XO		0x98	/* code, execute-only, DPL 3 */
#define SEG_SMALL	0xA0	/* data, DPL 3, base P_RW, 16 bytes */
#define SEG_SYSTEM	0xA8	/* an LDT, which is no data */
#define SEG_DPL0	0xB0	/* data, DPL 0: the host makes it 1 */
#define SEG_CONFORM	0xB8	/* code, conforming, DPL 0, hence 1 */
#define SEG_DOWN	0xC0	/* data, expand-down, DPL 3, base P_RW */
#define SEG_RO		0xC8	/* data, read-only, DPL 3 */
#define SEG_ABSENT_CODE	0xD0	/* code, not present, DPL 3 */
#define SEG_ABSENT3	0xE0	/* data, not present, DPL 3 */
#define SEG_HIGH	0xE8	/* data, DPL 3, base P_RW + 0x800, 4 GiB */
#endif
