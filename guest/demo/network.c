/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small network: Ethernet, ARP and IP, served in the interrupt.  ip=ADDRESS on
 * the command line or `ifconfig ADDRESS` brings it up, ip=dhcp or `dhcp` asks
 * for an address.  All of one Ethernet: there are no routes.
 */
#include "network.h"
#include "traps.h"

#define ETH_LEAST	60
#define ETH_P_IP	0x0800
#define ETH_P_ARP	0x0806
#define NR_NEIGHBOURS	16

static u8 frames[NET_RING][2048] __attribute__((aligned(4096)));
struct net net;
u32 my_ip;
static bool present, up;
static struct neighbour neighbours[NR_NEIGHBOURS];
static u32 nr_neighbours;

static const u8 everybody[6] = { 255, 255, 255, 255, 255, 255 };

u32 checksum(const u8 *p, u32 bytes)
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
	if (!my_ip || get32(frame + 38) != my_ip)
		return;
	learn(get32(frame + 28), frame + 22);
	if (get16(frame + 20) == 1)
		send_arp(2, frame + 22, get32(frame + 28));
}

void send_ip(const u8 *mac, u32 ip, u32 protocol, u8 *frame, u32 payload)
{
	static u16 identification;
	u8 *header = frame + ETH_HEADER;

	memcpy(frame, mac ? mac : everybody, 6);
	memcpy(frame + 6, net.mac, 6);
	put16(frame + 12, ETH_P_IP);
	memset(header, 0, IP_HEADER);
	header[0] = 0x45;
	put16(header + 2, IP_HEADER + payload);
	put16(header + 4, ++identification);
	header[8] = 64;
	header[9] = protocol;
	put32(header + 12, my_ip);
	put32(header + 16, ip);
	put16(header + 10, checksum(header, IP_HEADER));
	transmit(frame, ETH_HEADER + IP_HEADER + payload);
}

void turn_round(u8 *frame, u32 bytes)
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

static void on_ip(u8 *frame, u32 room)
{
	u8 *ip = frame + ETH_HEADER;
	u32 bytes = get16(ip + 2);

	/* No options, no fragments: enough for an echo. */
	if (room < IP_HEADER || ip[0] != 0x45 || bytes > room ||
	    bytes < IP_HEADER || get16(ip + 6) & 0x3FFF ||
	    checksum(ip, IP_HEADER))
		return;
	/* An address is offered to somebody who has none yet. */
	if (ip[9] == IPPROTO_UDP && on_dhcp(frame, bytes))
		return;
	if (!my_ip || get32(ip + 16) != my_ip)
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

u32 parse_ip(const char *s, const char **rest)
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

void print_ip(u32 ip)
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

void bring_up(u32 ip)
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
	else if (!strncmp(ip, "dhcp", 4))
		cmd_dhcp("");
	else
		printf("ip= needs an address, 10.0.0.1, or dhcp\n");
}

bool network_present(void)
{
	if (!present)
		printf("no network: start me with --usernet, --tunnet=ADDRESS or --sharenet=FILE\n");
	return present;
}

bool ready(void)
{
	if (!network_present())
		return false;
	if (!my_ip)
		printf("no address yet.  With --usernet: dhcp.  With --tunnet=10.0.0.1: ifconfig 10.0.0.2.\n"
		       "With --sharenet: ifconfig 10.0.0.1, and another number in each guest.\n");
	return my_ip != 0;
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

void nap(u32 ms)
{
	hcall(LHCALL_SET_CLOCKEVENT, ms * 1000000, 0, 0);
	hcall(LHCALL_HALT, 0, 0, 0);
	irqs_off();
}

struct neighbour *resolve(u32 ip)
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
