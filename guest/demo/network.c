/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small network: ARP, ICMP echo and UDP echo (port 7), answered in the
 * interrupt, and ping.  ip=ADDRESS on the command line or `ifconfig ADDRESS`
 * brings it up.  All of one Ethernet: there are no routes.
 */
#include "demo.h"
#include "net.h"
#include "traps.h"

#define ETH_HEADER	14
#define ETH_LEAST	60
#define IP_HEADER	20
#define ICMP_HEADER	8
#define ETH_P_IP	0x0800
#define ETH_P_ARP	0x0806
#define IPPROTO_ICMP	1
#define IPPROTO_UDP	17
#define ECHO_PORT	7
#define NR_NEIGHBOURS	16
#define PING_BYTES	56
#define NS_PER_S	1000000000

struct neighbour {
	u32 ip;
	u8 mac[6];
};

static u8 frames[NET_RING][2048] __attribute__((aligned(4096)));
static struct net net;
static bool present, up;
static u32 my_ip;
static struct neighbour neighbours[NR_NEIGHBOURS];
static u32 nr_neighbours;

/* What the last echo reply was, for ping. */
static volatile u16 reply_sequence;
static volatile u32 reply_from, reply_bytes, reply_ttl;

static u32 get16(const u8 *p)
{
	return p[0] << 8 | p[1];
}

static u32 get32(const u8 *p)
{
	return get16(p) << 16 | get16(p + 2);
}

static void put16(u8 *p, u32 v)
{
	p[0] = v >> 8;
	p[1] = v;
}

static void put32(u8 *p, u32 v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

static u32 checksum(const u8 *p, u32 bytes)
{
	u32 sum = 0;

	for (; bytes > 1; bytes -= 2, p += 2)
		sum += get16(p);
	if (bytes)
		sum += p[0] << 8;
	while (sum >> 16)
		sum = (sum & 0xFFFF) + (sum >> 16);
	return ~sum & 0xFFFF;
}

static void transmit(u8 *frame, u32 bytes)
{
	/* What is shorter a real Ethernet would not carry. */
	if (bytes < ETH_LEAST) {
		memset(frame + bytes, 0, ETH_LEAST - bytes);
		bytes = ETH_LEAST;
	}
	net_send(&net, frame, bytes);
}

static struct neighbour *find(u32 ip)
{
	u32 i;

	for (i = 0; i < nr_neighbours && i < NR_NEIGHBOURS; i++)
		if (neighbours[i].ip == ip)
			return &neighbours[i];
	return NULL;
}

static void learn(u32 ip, const u8 *mac)
{
	struct neighbour *n = find(ip);

	/* The oldest makes room. */
	if (!n)
		n = &neighbours[nr_neighbours++ % NR_NEIGHBOURS];
	n->ip = ip;
	memcpy(n->mac, mac, 6);
}

static void send_arp(u32 operation, const u8 *to_mac, u32 to_ip)
{
	static u8 frame[64] __attribute__((aligned(64)));
	static const u8 everybody[6] = { 255, 255, 255, 255, 255, 255 };
	static const u8 ethernet_ip[6] = { 0, 1, 8, 0, 6, 4 };

	memset(frame, 0, sizeof(frame));
	memcpy(frame, to_mac ? to_mac : everybody, 6);
	memcpy(frame + 6, net.mac, 6);
	put16(frame + 12, ETH_P_ARP);
	memcpy(frame + 14, ethernet_ip, 6);
	put16(frame + 20, operation);
	memcpy(frame + 22, net.mac, 6);
	put32(frame + 28, my_ip);
	if (to_mac)
		memcpy(frame + 32, to_mac, 6);
	put32(frame + 38, to_ip);
	transmit(frame, 42);
}

static void on_arp(const u8 *frame, u32 bytes)
{
	if (bytes < 42)
		return;
	if (get32(frame + 38) != my_ip)
		return;
	learn(get32(frame + 28), frame + 22);
	if (get16(frame + 20) == 1)
		send_arp(2, frame + 22, get32(frame + 28));
}

/* Send a packet back where it came from, its payload as it is. */
static void turn_round(u8 *frame, u32 bytes)
{
	u8 *ip = frame + ETH_HEADER;

	memcpy(frame, frame + 6, 6);
	memcpy(frame + 6, net.mac, 6);
	memcpy(ip + 16, ip + 12, 4);
	put32(ip + 12, my_ip);
	ip[8] = 64;
	put16(ip + 10, 0);
	put16(ip + 10, checksum(ip, IP_HEADER));
	transmit(frame, bytes);
}

static void on_icmp(u8 *frame, u32 bytes)
{
	u8 *ip = frame + ETH_HEADER, *icmp = ip + IP_HEADER;

	if (bytes < IP_HEADER + ICMP_HEADER)
		return;
	if (icmp[0] == 8 && icmp[1] == 0) {
		icmp[0] = 0;
		put16(icmp + 2, 0);
		put16(icmp + 2, checksum(icmp, bytes - IP_HEADER));
		turn_round(frame, ETH_HEADER + bytes);
	} else if (icmp[0] == 0 && get16(icmp + 4) == lguest_data.guestid) {
		reply_from = get32(ip + 12);
		reply_bytes = bytes - IP_HEADER;
		reply_ttl = ip[8];
		barrier();
		reply_sequence = get16(icmp + 6);
	}
}

static void on_udp(u8 *frame, u32 bytes)
{
	u8 *udp = frame + ETH_HEADER + IP_HEADER;

	if (bytes < IP_HEADER + 8 || get16(udp + 2) != ECHO_PORT ||
	    get16(udp) == ECHO_PORT)
		return;
	memcpy(udp + 2, udp, 2);
	put16(udp, ECHO_PORT);
	/* 0: no checksum, which UDP allows. */
	put16(udp + 6, 0);
	turn_round(frame, ETH_HEADER + bytes);
}

static void on_ip(u8 *frame, u32 room)
{
	u8 *ip = frame + ETH_HEADER;
	u32 bytes = get16(ip + 2);

	/* No options, no fragments: enough for an echo. */
	if (room < IP_HEADER || ip[0] != 0x45 || bytes > room ||
	    bytes < IP_HEADER || get16(ip + 6) & 0x3FFF ||
	    get32(ip + 16) != my_ip || checksum(ip, IP_HEADER))
		return;
	if (ip[9] == IPPROTO_ICMP)
		on_icmp(frame, bytes);
	else if (ip[9] == IPPROTO_UDP)
		on_udp(frame, bytes);
}

static void on_net(struct trap_frame *f)
{
	u32 bytes;
	int i;

	while ((i = net_poll(&net, &bytes)) >= 0) {
		u8 *frame = frames[i];

		if (bytes >= ETH_HEADER && bytes <= NET_FRAME) {
			if (get16(frame + 12) == ETH_P_ARP)
				on_arp(frame, bytes);
			else if (get16(frame + 12) == ETH_P_IP)
				on_ip(frame, bytes - ETH_HEADER);
		}
		net_release(&net, i);
	}
}

/* Dotted numbers; *rest is what follows.  0 when it is no address. */
static u32 parse_ip(const char *s, const char **rest)
{
	u32 ip = 0, i, byte;

	for (i = 0; i < 4; i++) {
		byte = parse_number(s, rest);
		if (*rest == s || byte > 255 || (i < 3 && **rest != '.'))
			return 0;
		ip = ip << 8 | byte;
		s = *rest + 1;
	}
	while (**rest == ' ')
		(*rest)++;
	return ip;
}

static void print_ip(u32 ip)
{
	printf("%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255,
	       ip & 255);
}

static void print_mac(const u8 *mac)
{
	u32 i;

	for (i = 0; i < 6; i++)
		printf("%s%02x", i ? ":" : "", mac[i]);
}

static void bring_up(u32 ip)
{
	my_ip = ip;
	if (up)
		return;
	irq_set_handler(net.irq, on_net);
	up = net_up(&net, NET_FRAME);
}

void network_init(void)
{
	const char *ip = option_value("ip"), *rest;
	u32 address;

	present = net_open(&net, 0, frames);
	if (!present || !ip)
		return;
	address = parse_ip(ip, &rest);
	if (address)
		bring_up(address);
	else
		printf("ip= needs an address, 10.0.0.1\n");
}

static bool ready(void)
{
	if (up)
		return true;
	if (present)
		printf("no address yet: ifconfig 10.0.0.1\n");
	else
		printf("no network: start me with --sharenet=FILE, --tunnet=ADDRESS or --usernet\n");
	return false;
}

void cmd_ifconfig(const char *args)
{
	const char *rest;
	u32 ip;

	if (present && *args) {
		ip = parse_ip(args, &rest);
		if (!ip || *rest) {
			printf("%s is no address\n", args);
			return;
		}
		bring_up(ip);
	}
	if (!ready())
		return;
	printf("eth0 ");
	print_ip(my_ip);
	printf(", ");
	print_mac(net.mac);
	printf(", slot %u: %u received, %u sent, %u lost\n", net.me,
	       net.received, net.sent, net.lost);
}

void cmd_arp(const char *args)
{
	u32 i;

	if (!ready())
		return;
	for (i = 0; i < nr_neighbours && i < NR_NEIGHBOURS; i++) {
		print_ip(neighbours[i].ip);
		printf(" is at ");
		print_mac(neighbours[i].mac);
		printf("\n");
	}
	if (!nr_neighbours)
		printf("nobody yet\n");
}

/*
 * Sleep until something happens; the clock ends it after `ms`.  With interrupts
 * off before and after, so that nothing happens between looking and sleeping.
 */
static void nap(u32 ms)
{
	hcall(LHCALL_SET_CLOCKEVENT, ms * 1000000, 0, 0);
	hcall(LHCALL_HALT, 0, 0, 0);
	irqs_off();
}

/* Microseconds since some time, as of the last interrupt. */
static u64 now_us(void)
{
	return (u64)(u32)lguest_data.time_sec * 1000000 +
	       (u32)lguest_data.time_nsec / 1000;
}

static struct neighbour *resolve(u32 ip)
{
	struct neighbour *n;
	u32 i, j;

	for (i = 0; i < 3; i++) {
		send_arp(1, NULL, ip);
		for (j = 0; j < 20; j++) {
			n = find(ip);
			if (n)
				return n;
			nap(10);
		}
	}
	return NULL;
}

static void send_echo(u32 ip, const u8 *mac, u32 sequence)
{
	static u8 frame[128] __attribute__((aligned(128)));
	u8 *header = frame + ETH_HEADER, *icmp = header + IP_HEADER;
	u32 i, length = IP_HEADER + ICMP_HEADER + PING_BYTES;

	memset(frame, 0, sizeof(frame));
	memcpy(frame, mac, 6);
	memcpy(frame + 6, net.mac, 6);
	put16(frame + 12, ETH_P_IP);
	header[0] = 0x45;
	put16(header + 2, length);
	put16(header + 4, sequence);
	header[8] = 64;
	header[9] = IPPROTO_ICMP;
	put32(header + 12, my_ip);
	put32(header + 16, ip);
	put16(header + 10, checksum(header, IP_HEADER));
	icmp[0] = 8;
	put16(icmp + 4, lguest_data.guestid);
	put16(icmp + 6, sequence);
	for (i = 0; i < PING_BYTES; i++)
		icmp[ICMP_HEADER + i] = i;
	put16(icmp + 2, checksum(icmp, ICMP_HEADER + PING_BYTES));
	transmit(frame, ETH_HEADER + length);
}

void cmd_ping(const char *args)
{
	static u16 sequence;
	const char *rest;
	u32 ip, count, i, j, got = 0;
	struct neighbour *n;

	if (!ready())
		return;
	ip = parse_ip(args, &rest);
	if (!ip) {
		printf("whom?  ping 10.0.0.1\n");
		return;
	}
	count = *rest ? parse_number(rest, &rest) : 3;
	irqs_off();
	n = resolve(ip);
	irqs_on();
	if (!n) {
		printf("nobody answers for ");
		print_ip(ip);
		printf("\n");
		return;
	}
	for (i = 0; i < count; i++) {
		u64 start;
		u8 mac[6];

		memcpy(mac, n->mac, 6);
		/* A fresh time stamp comes with an interrupt. */
		irqs_off();
		nap(1);
		sequence++;
		start = now_us();
		send_echo(ip, mac, sequence);
		for (j = 0; j < 100 && reply_sequence != sequence; j++)
			nap(10);
		irqs_on();
		if (reply_sequence != sequence) {
			printf("no answer to %u\n", i + 1);
			continue;
		}
		got++;
		printf("%u bytes from ", reply_bytes);
		print_ip(reply_from);
		printf(": seq=%u ttl=%u time=%u us\n", i + 1, reply_ttl,
		       (u32)(now_us() - start));
	}
	printf("%u sent, %u received\n", count, got);
}
