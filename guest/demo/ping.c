/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ICMP echo: answered in the interrupt, and asked for by ping. */
#include "network.h"
#include "traps.h"

#define ICMP_HEADER	8
#define PING_BYTES	56

/* What the last echo reply was. */
static volatile u16 reply_sequence;
static volatile u32 reply_from, reply_bytes, reply_ttl;

void on_icmp(u8 *frame, u32 bytes)
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

/* Microseconds since some time, as of the last interrupt. */
static u64 now_us(void)
{
	return (u64)(u32)lguest_data.time_sec * 1000000 +
	       (u32)lguest_data.time_nsec / 1000;
}

static void send_echo(u32 ip, const u8 *mac, u32 sequence)
{
	static u8 frame[128] __attribute__((aligned(128)));
	u8 *icmp = frame + ETH_HEADER + IP_HEADER;
	u32 i;

	memset(icmp, 0, ICMP_HEADER);
	icmp[0] = 8;
	put16(icmp + 4, lguest_data.guestid);
	put16(icmp + 6, sequence);
	for (i = 0; i < PING_BYTES; i++)
		icmp[ICMP_HEADER + i] = i;
	put16(icmp + 2, checksum(icmp, ICMP_HEADER + PING_BYTES));
	send_ip(mac, ip, IPPROTO_ICMP, frame, ICMP_HEADER + PING_BYTES);
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
	if (count && !got)
		printf("Silence may mean little.  With --usernet, pings leave the host only where its\n"
		       "users may send them (sysctl net.ipv4.ping_group_range); udp works without.\n");
}
