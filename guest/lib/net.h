/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The network device: a page of Ethernet addresses, one per peer, of which one
 * slot is ours.  Packets are sent to a peer's key, page + 4 * slot, and arrive
 * in the ring of buffers that we bind at our own.
 */
#ifndef GUEST_NET_H
#define GUEST_NET_H
#include "lguest.h"

#define NET_RING		8
#define NET_FRAME		1514	/* an Ethernet header and 1500 bytes */
#define NET_SLOTS		(PAGE_SIZE / 6)
#define NET_SLOT_MASK		0xFFF
#define NET_NOCSUM		0x4000
#define NET_PROMISC		0x01

struct net {
	volatile u8 (*peer)[6];
	u32 key, irq, me, features;
	u8 mac[6];
	u32 sent, lost, received;
	struct lguest_dma ring[NET_RING];
	u8 (*frames)[2048];
};

/* Find the nth network device; nothing is bound yet. */
bool net_open(struct net *n, u32 nth, u8 (*frames)[2048]);
/* Publish our address and bind the ring, each buffer `bytes` long. */
bool net_up(struct net *n, u32 bytes);
void net_down(struct net *n);
/* Give a packet to one peer; returns what arrived there. */
u32 net_send_to(struct net *n, u32 slot, const void *frame, u32 bytes);
/* Give it to every peer that it is for; returns how many got all of it. */
u32 net_send(struct net *n, const void *frame, u32 bytes);
/* The next full buffer's index, or -1; give it back with net_release(). */
int net_poll(struct net *n, u32 *bytes);
void net_release(struct net *n, u32 index);

#endif
