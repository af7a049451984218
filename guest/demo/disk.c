/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Look at a disk's sectors, and write text into one. */
#include "demo.h"
#include "device.h"

#define SECTOR 512

static struct block disk;
static u8 sector_buffer[SECTOR] __attribute__((aligned(SECTOR)));

static bool open_disk(void)
{
	if (disk.page || block_open(&disk, 0))
		return true;
	printf("no disk: start me with --block=FILE\n");
	return false;
}

/* The sector's number; says so if there is none such. */
static bool get_sector(const char *args, u32 *sector, const char **rest)
{
	*sector = parse_number(args, rest);
	if (*rest == args) {
		printf("which sector?  There are %u\n", disk.page->num_sectors);
		return false;
	}
	if (*sector >= disk.page->num_sectors) {
		printf("the disk ends at sector %u\n",
		       disk.page->num_sectors - 1);
		return false;
	}
	while (**rest == ' ')
		(*rest)++;
	return true;
}

static void hexdump(const u8 *data, u32 bytes)
{
	char line[80];
	u32 i, j, n;
	bool same = false;

	for (i = 0; i < bytes; i += 16) {
		/* A line like the last one is not worth a second look. */
		if (i && i + 16 < bytes && !memcmp(data + i, data + i - 16, 16)) {
			if (!same)
				printf("*\n");
			same = true;
			continue;
		}
		same = false;
		snprintf(line, sizeof(line), "%03x ", i);
		for (j = 0; j < 16; j++) {
			n = strlen(line);
			snprintf(line + n, sizeof(line) - n, "%s%02x",
				 j == 8 ? "  " : " ", data[i + j]);
		}
		n = strlen(line);
		line[n++] = ' ';
		line[n++] = ' ';
		for (j = 0; j < 16; j++) {
			u8 c = data[i + j];

			line[n++] = c >= ' ' && c < 127 ? c : '.';
		}
		line[n++] = '\n';
		console_write(line, n);
	}
}

void cmd_read(const char *args)
{
	const char *rest;
	u32 sector;

	if (!open_disk() || !get_sector(args, &sector, &rest))
		return;
	if (block_transfer(&disk, false, sector, sector_buffer, SECTOR) != 1)
		printf("the device reports an error\n");
	else
		hexdump(sector_buffer, SECTOR);
}

void cmd_write(const char *args)
{
	const char *text;
	u32 sector, n;

	if (!open_disk() || !get_sector(args, &sector, &text))
		return;
	n = strlen(text);
	memset(sector_buffer, 0, SECTOR);
	memcpy(sector_buffer, text, n < SECTOR ? n : SECTOR);
	if (block_transfer(&disk, true, sector, sector_buffer, SECTOR) != 1)
		printf("the device reports an error\n");
	else
		printf("%u characters written to sector %u\n", n, sector);
}
