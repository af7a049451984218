/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The demo's network: what its parts know of each other. */
#ifndef DEMO_NETWORK_H
#define DEMO_NETWORK_H
#include "demo.h"
#include "net.h"

#define ETH_HEADER	14
#define IP_HEADER	20
#define UDP_HEADER	8
#define IPPROTO_ICMP	1
#define IPPROTO_UDP	17

struct neighbour {
	u32 ip;
	u8 mac[6];
};

extern struct net net;
/* 0 while there is none. */
extern u32 my_ip;

/* Numbers as they are on the wire. */
static inline u32 get16(const u8 *p)
{
	return p[0] << 8 | p[1];
}

static inline u32 get32(const u8 *p)
{
	return get16(p) << 16 | get16(p + 2);
}

static inline void put16(u8 *p, u32 v)
{
	p[0] = v >> 8;
	p[1] = v;
}

static inline void put32(u8 *p, u32 v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

u32 checksum(const u8 *p, u32 bytes);
/* Dotted numbers; *rest is what follows.  0 when it is no address. */
u32 parse_ip(const char *s, const char **rest);
void print_ip(u32 ip);
/* Whether there is a network device, and an address; if not, say what to do. */
bool network_present(void);
bool ready(void);
/* Take part in the network under this address, or, with 0, under none yet. */
void bring_up(u32 ip);
/*
 * Sleep until something happens; the clock ends it after `ms`.  With interrupts
 * off before and after, so that nothing happens between looking and sleeping.
 */
void nap(u32 ms);
/* The Ethernet address of a neighbour, or NULL; with interrupts off. */
struct neighbour *resolve(u32 ip);
/*
 * Send what is in `frame` after the room for both headers; to everybody when
 * there is no `mac`.  The frame has 60 bytes at least, and is on one page.
 */
void send_ip(const u8 *mac, u32 ip, u32 protocol, u8 *frame, u32 payload);
/* Send a packet back where it came from, its payload as it is. */
void turn_round(u8 *frame, u32 bytes);

/* Packets that came, IP header and all of `bytes`; in the interrupt. */
void on_icmp(u8 *frame, u32 bytes);
void on_udp(u8 *frame, u32 bytes);
/* Says whether it was an answer to us from a DHCP server. */
bool on_dhcp(const u8 *frame, u32 bytes);

/* Fill in the header of a UDP packet with `bytes` of data. */
void put_udp(u8 *frame, u32 from, u32 to, u32 bytes);

#endif
