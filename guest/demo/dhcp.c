/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * As much of a DHCP client (RFC 2131) as it takes to ask for an address and to
 * keep it until the end: an offer, a request, an acknowledgement.
 */
#include "network.h"
#include "traps.h"

#define SERVER_PORT	67
#define CLIENT_PORT	68
#define COOKIE		0x63825363
#define OPTIONS		240		/* they begin here */
#define LEAST		300		/* some servers want that much */

#define OPTION_REQUESTED	50
#define OPTION_TYPE		53
#define OPTION_SERVER		54
#define OPTION_END		255
#define DISCOVER	1
#define OFFER		2
#define REQUEST		3
#define ACK		5

static bool asking;
static u32 transaction;

/* What came last of what we wait for. */
static volatile u32 got_type;
static u32 got_ip, got_server;

/* An option's value, if it has `length` bytes. */
static const u8 *find_option(const u8 *dhcp, u32 bytes, u32 option, u32 length)
{
	u32 at = OPTIONS;

	while (at + 1 < bytes && dhcp[at] != OPTION_END) {
		if (!dhcp[at]) {
			at++;
			continue;
		}
		if (at + 2 + dhcp[at + 1] > bytes)
			break;
		if (dhcp[at] == option && dhcp[at + 1] == length)
			return dhcp + at + 2;
		at += 2 + dhcp[at + 1];
	}
	return NULL;
}

bool on_dhcp(const u8 *frame, u32 bytes)
{
	const u8 *udp = frame + ETH_HEADER + IP_HEADER;
	const u8 *dhcp = udp + UDP_HEADER, *type, *server;

	if (!asking || bytes < IP_HEADER + UDP_HEADER + OPTIONS ||
	    get16(udp + 2) != CLIENT_PORT)
		return false;
	bytes -= IP_HEADER + UDP_HEADER;
	if (dhcp[0] != 2 || get32(dhcp + 4) != transaction ||
	    get32(dhcp + 236) != COOKIE)
		return true;
	type = find_option(dhcp, bytes, OPTION_TYPE, 1);
	server = find_option(dhcp, bytes, OPTION_SERVER, 4);
	if (!type || !get32(dhcp + 16))
		return true;
	got_ip = get32(dhcp + 16);
	got_server = server ? get32(server) : 0;
	barrier();
	got_type = *type;
	return true;
}

/* Send a message, and wait for the answer to it. */
static bool ask(u32 type, u32 answer)
{
	static u8 frame[512] __attribute__((aligned(512)));
	u8 *dhcp = frame + ETH_HEADER + IP_HEADER + UDP_HEADER;
	u8 *p = dhcp + OPTIONS;
	u32 i, j;

	memset(dhcp, 0, LEAST);
	dhcp[0] = 1;
	dhcp[1] = 1;
	dhcp[2] = 6;
	put32(dhcp + 4, transaction);
	/* We have no address yet, so answers go to everybody. */
	put16(dhcp + 10, 0x8000);
	memcpy(dhcp + 28, net.mac, 6);
	put32(dhcp + 236, COOKIE);
	*p++ = OPTION_TYPE;
	*p++ = 1;
	*p++ = type;
	if (type == REQUEST) {
		*p++ = OPTION_REQUESTED;
		*p++ = 4;
		put32(p, got_ip);
		p += 4;
		*p++ = OPTION_SERVER;
		*p++ = 4;
		put32(p, got_server);
		p += 4;
	}
	*p = OPTION_END;
	put_udp(frame, CLIENT_PORT, SERVER_PORT, LEAST);
	for (i = 0; i < 3; i++) {
		send_ip(NULL, 0xFFFFFFFF, IPPROTO_UDP, frame,
			UDP_HEADER + LEAST);
		for (j = 0; j < 50 && got_type != answer; j++)
			nap(10);
		if (got_type == answer)
			return true;
	}
	return false;
}

void cmd_dhcp(const char *args)
{
	bool done;

	if (!network_present())
		return;
	irqs_off();
	my_ip = 0;
	bring_up(0);
	transaction = (u32)lguest_data.time_nsec ^ lguest_data.guestid << 16;
	got_type = 0;
	asking = true;
	done = ask(DISCOVER, OFFER) && ask(REQUEST, ACK);
	asking = false;
	if (done)
		bring_up(got_ip);
	irqs_on();
	if (done)
		cmd_ifconfig("");
	else
		printf("nobody gives out addresses here (--usernet does); ifconfig ADDRESS sets one\n");
}
