/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The demo kernel: what its parts know of each other. */
#ifndef DEMO_H
#define DEMO_H
#include "boot.h"
#include "console.h"
#include "hcall.h"
#include "string.h"

/* input.c: characters from the console; sleeps in HALT until there are some. */
void input_init(void);
int input_char(void);
/* Read a line with editing; returns its length, -1 at the end of input. */
int input_line(const char *prompt, char *line, u32 size);

/* Each command gets what follows its name, blanks removed. */
struct command {
	const char *name, *args, *help;
	void (*run)(const char *args);
};
extern const struct command commands[];
extern const u32 nr_commands;

/* time.c */
void time_init(void);
void cmd_date(const char *args);
void cmd_uptime(const char *args);
/* machine.c */
void cmd_mem(const char *args);
void cmd_devices(const char *args);
void cmd_irqs(const char *args);
void cmd_cpu(const char *args);
/* disk.c */
void cmd_read(const char *args);
void cmd_write(const char *args);
/* rings.c */
void cmd_user(const char *args);
void cmd_fault(const char *args);
/* notes.c */
void cmd_note(const char *args);
/* network.c */
void network_init(void);
void cmd_ifconfig(const char *args);
void cmd_arp(const char *args);
/* dhcp.c, ping.c, udp.c */
void cmd_dhcp(const char *args);
void cmd_ping(const char *args);
void cmd_udp(const char *args);
/* ending.c */
void cmd_crash(const char *args);
void cmd_reboot(const char *args);
void cmd_off(const char *args);

#endif
