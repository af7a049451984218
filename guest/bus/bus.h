/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What differs between the generations on the lguest bus that a guest of ours
 * speaks: how it calls, and where things are in its lguest_data.
 */
#ifndef BUS_H
#define BUS_H

#include "types.h"

#if BUS_GENERATION == 2624
#define RELEASE "2.6.24"
#define TYPED 1
#define HAS_PENDING 0
#define AT_STATUS 20
#define AT_RESERVE 1108
#define AT_TSC 1112
#define AT_PGDIR 1116
#define AT_NOIRQ 1120
#define AT_KERNEL 1128
#define DATA_SIZE 1136
#elif BUS_GENERATION == 2632
#define RELEASE "2.6.32"
#define TYPED 0
#define HAS_PENDING 1
#define AT_STATUS 24
#define AT_RESERVE 1368
#define AT_TSC 1372
#define AT_PGDIR 1376
#define AT_NOIRQ 1380
#define AT_KERNEL 1388
#define DATA_SIZE 1396
#elif BUS_GENERATION == 314
#define RELEASE "3.14.0"
#define TYPED 0
#define HAS_PENDING 1
#define AT_STATUS 24
#define AT_RESERVE 1368
#define AT_TSC 1372
#define AT_NOIRQ 1376
#define AT_KERNEL 1384
#define DATA_SIZE 1392
#endif

enum {
	FLUSH_ASYNC = 0, LGUEST_INIT = 1, SHUTDOWN = 2, LOAD_IDT_ENTRY = 6,
	SET_CLOCKEVENT = 9, HALT = 10, NOTIFY = 17, SEND_INTERRUPTS = 19,
};

static inline u32 hcall(u32 call, u32 a1, u32 a2, u32 a3)
{
#if BUS_GENERATION == 2624
	asm volatile("int $0x1F" : "+a"(call) : "d"(a1), "b"(a2), "c"(a3) : "memory");
#elif BUS_GENERATION == 2632
	asm volatile(".byte 0x0F, 0x01, 0xC1" : "+a"(call) : "b"(a1), "c"(a2), "d"(a3) : "memory");
#else
	asm volatile("int $0x1F" : "+a"(call) : "b"(a1), "c"(a2), "d"(a3) : "memory");
#endif
	return call;
}

/* A queue of the bus: its ring is where the descriptor said. */
struct queue {
	u32 base;
	u16 entries, irq;
	u16 offered, next;
};

struct device {
	u32 at;			/* its descriptor */
	u8 type;
	u32 status;		/* where its status is */
	u32 accepted;		/* where the accepted features are; 0: none */
	u32 offered;		/* the features that it offers */
	u32 config;		/* where its configuration is */
	int queues;
	struct queue queue[2];
};

enum { NET = 1, BLOCK = 2, CONSOLE = 3, ENTROPY = 4 };
enum { NEXT = 1, WRITE = 2, INDIRECT = 4 };

struct piece {
	u32 address, high, length;
	u16 flags, next;
} __attribute__((packed));

#define DEVICES 8
extern struct device devices[DEVICES];

int find_devices(u32 page);
struct device *device_of(u8 type);
void offer(struct queue *q, const struct piece *pieces, int count);
void offer_head(struct queue *q, u16 head);
u16 used_index(struct queue *q);
u32 used_length(struct queue *q, u16 index);
void want_irqs(struct queue *q, bool wanted);
void kick(struct queue *q);
void set_status(struct device *d, u8 status);

#endif
