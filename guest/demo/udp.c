/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UDP: port 7 sends back what it gets, and `udp` asks others. */
#include "network.h"
#include "traps.h"

#define ECHO_PORT	7
#define OUR_PORT	2007
#define MOST_BYTES	1024

static u8 answer[MOST_BYTES];
static volatile bool answered;
static u32 answer_bytes, answer_from;

void put_udp(u8 *frame, u32 from, u32 to, u32 bytes)
{
	u8 *udp = frame + ETH_HEADER + IP_HEADER;

	put16(udp, from);
	put16(udp + 2, to);
	put16(udp + 4, UDP_HEADER + bytes);
	/* 0: no checksum, which UDP allows. */
	put16(udp + 6, 0);
}

/* The first answer counts. */
static void on_answer(const u8 *frame, u32 bytes)
{
	const u8 *udp = frame + ETH_HEADER + IP_HEADER;
	u32 length = get16(udp + 4);

	if (answered || length < UDP_HEADER || length > bytes - IP_HEADER)
		return;
	answer_bytes = length - UDP_HEADER;
	if (answer_bytes > MOST_BYTES)
		answer_bytes = MOST_BYTES;
	answer_from = get32(frame + ETH_HEADER + 12);
	memcpy(answer, udp + UDP_HEADER, answer_bytes);
	barrier();
	answered = true;
}

void on_udp(u8 *frame, u32 bytes)
{
	u8 *udp = frame + ETH_HEADER + IP_HEADER;

	if (bytes < IP_HEADER + UDP_HEADER)
		return;
	if (get16(udp + 2) == OUR_PORT) {
		on_answer(frame, bytes);
		return;
	}
	if (get16(udp + 2) != ECHO_PORT || get16(udp) == ECHO_PORT)
		return;
	memcpy(udp + 2, udp, 2);
	put16(udp, ECHO_PORT);
	/* 0: no checksum, which UDP allows. */
	put16(udp + 6, 0);
	turn_round(frame, ETH_HEADER + bytes);
}

void cmd_udp(const char *args)
{
	static u8 frame[2048] __attribute__((aligned(2048)));
	struct neighbour *n;
	const char *rest;
	u32 ip, port, bytes, i;

	if (!ready())
		return;
	ip = parse_ip(args, &rest);
	port = ip ? parse_number(rest, &rest) : 0;
	if (!ip || !port || port > 65535) {
		printf("whom?  udp 10.0.0.1 5000 hello\n");
		return;
	}
	while (*rest == ' ')
		rest++;
	bytes = strlen(rest);
	if (bytes > MOST_BYTES)
		bytes = MOST_BYTES;
	memcpy(frame + ETH_HEADER + IP_HEADER + UDP_HEADER, rest, bytes);
	put_udp(frame, OUR_PORT, port, bytes);
	irqs_off();
	answered = false;
	n = resolve(ip);
	if (n)
		send_ip(n->mac, ip, IPPROTO_UDP, frame, UDP_HEADER + bytes);
	for (i = 0; n && i < 100 && !answered; i++)
		nap(10);
	irqs_on();
	if (!answered) {
		printf(n ? "sent; no answer within a second from " :
		       "nobody answers for ");
		print_ip(ip);
		printf("\n");
		return;
	}
	print_ip(answer_from);
	printf(" answers, %u bytes: ", answer_bytes);
	for (i = 0; i < answer_bytes; i++)
		if (answer[i] < ' ' || answer[i] > '~')
			answer[i] = '.';
	console_write((const char *)answer, answer_bytes);
	printf("\n");
}
