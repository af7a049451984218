/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bus: a page of descriptors just above RAM; device i uses irq i + 1. */
#ifndef GUEST_DEVICE_H
#define GUEST_DEVICE_H
#include "lguest.h"

extern volatile struct lguest_device_desc *devices;

void device_init(void);
/* The nth device of a type, or -1. */
int device_find(u32 type, u32 nth);

/* One block disk, polled or woken by its interrupt. */
struct block {
	volatile struct lguest_block_page *page;
	u32 key, irq;
	/* The reply buffer's list; bound by the first request. */
	struct lguest_dma reply;
};

bool block_open(struct block *b, u32 nth);
/* Transfer `bytes` at linear address `buf`; returns the device's result. */
int block_transfer(struct block *b, bool write, u32 sector, void *buf,
		   u32 bytes);

#endif
