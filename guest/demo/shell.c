/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The demo: a kernel that is nothing but a shell on the console.  `help` shows
 * what it can do.  Words of the command line, run=mem,devices, are commands to
 * begin with.
 */
#include "demo.h"
#include "device.h"
#include "mm.h"
#include "traps.h"

/* Bytes of a line, its end among them. */
#define LINE_SIZE	512

static void cmd_help(const char *args)
{
	u32 i;
	char left[32];

	for (i = 0; i < nr_commands; i++) {
		snprintf(left, sizeof(left), "%s %s", commands[i].name,
			 commands[i].args);
		printf("  %-21s %s\n", left, commands[i].help);
	}
	printf("Keys: Backspace, ^U line, ^W word, Tab completes, cursor up "
	       "repeats, ^L clears,\n^D is off.  Three ^C in a second end the "
	       "launcher.\n");
}

static void cmd_echo(const char *args)
{
	printf("%s\n", args);
}

static void execute(char *line);

static void cmd_tour(const char *args)
{
	static const char *const stops[] = {
		"mem", "devices", "cpu", "date", "user", "fault", "irqs",
	};
	char line[16];
	u32 i;

	for (i = 0; i < ARRAY_SIZE(stops); i++) {
		printf("\n--- %s ---\n", stops[i]);
		snprintf(line, sizeof(line), "%s", stops[i]);
		execute(line);
	}
}

const struct command commands[] = {
	{ "help", "", "this list", cmd_help },
	{ "tour", "", "a bit of everything", cmd_tour },
	{ "mem", "", "memory map and page tables", cmd_mem },
	{ "devices", "", "what is on the bus", cmd_devices },
	{ "read", "SECTOR", "show a sector of the disk", cmd_read },
	{ "write", "SECTOR TEXT", "write text into a sector", cmd_write },
	{ "note", "[TEXT]", "write a note; show them all", cmd_note },
	{ "date", "", "the time of day", cmd_date },
	{ "uptime", "", "how long we have been running", cmd_uptime },
	{ "user", "", "run a program in ring 3", cmd_user },
	{ "fault", "[KIND]", "take a fault and survive it", cmd_fault },
	{ "dhcp", "", "ask for an address (--usernet)", cmd_dhcp },
	{ "ifconfig", "[ADDRESS]", "the network's address", cmd_ifconfig },
	{ "ping", "ADDRESS [COUNT]", "is anybody there?", cmd_ping },
	{ "udp", "ADDRESS PORT TEXT", "send a packet, show the answer", cmd_udp },
	{ "arp", "", "whose Ethernet address is known", cmd_arp },
	{ "irqs", "", "interrupts so far", cmd_irqs },
	{ "cpu", "", "the processor", cmd_cpu },
	{ "echo", "TEXT", "say it", cmd_echo },
	{ "crash", "[TEXT]", "die, giving a reason", cmd_crash },
	{ "reboot", "", "start over", cmd_reboot },
	{ "off", "", "power off; exit and quit do the same", cmd_off },
};
const u32 nr_commands = ARRAY_SIZE(commands);

/* What people type in other shells. */
static const struct command synonyms[] = {
	{ "exit", "", "", cmd_off },
	{ "quit", "", "", cmd_off },
	{ "?", "", "", cmd_help },
};

static const struct command *find_command(const char *name)
{
	u32 i;

	for (i = 0; i < nr_commands; i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	for (i = 0; i < ARRAY_SIZE(synonyms); i++)
		if (!strcmp(synonyms[i].name, name))
			return &synonyms[i];
	return NULL;
}

static void execute(char *line)
{
	const struct command *command;
	char *args;
	u32 i;

	while (*line == ' ')
		line++;
	for (i = strlen(line); i && line[i - 1] == ' '; i--)
		line[i - 1] = '\0';
	if (!*line)
		return;
	for (args = line; *args && *args != ' '; args++)
		;
	if (*args)
		*args++ = '\0';
	while (*args == ' ')
		args++;
	command = find_command(line);
	if (command)
		command->run(args);
	else
		printf("%s: no such command; try help\n", line);
}

/* run=mem,devices */
static void run_first(void)
{
	const char *p = option_value("run");
	static char line[LINE_SIZE];
	u32 n;

	while (p && *p && *p != ' ') {
		for (n = 0; p[n] && p[n] != ',' && p[n] != ' '; n++)
			if (n < sizeof(line) - 1)
				line[n] = p[n];
		line[n < sizeof(line) - 1 ? n : sizeof(line) - 1] = '\0';
		printf("demo> %s\n", line);
		execute(line);
		p += n + (p[n] == ',');
	}
}

void guest_main(void)
{
	static char line[LINE_SIZE];

	time_init();
	input_init();
	irqs_on();
	network_init();
	printf("\n"
	       "  Lguest demo kernel: ring %u, %u MiB, %s\n",
	       entry_state.cs & 3, ram_size() >> 20,
	       device_find(DEVICE_BLOCK, 0) >= 0 ? "a disk" : "no disk");
	if (mapped_ram() < ram_size())
		printf("  (This kernel maps the first %u MiB, and leaves the rest alone.)\n",
		       mapped_ram() >> 20);
	printf("  Type help and press Return.\n\n");
	run_first();
	for (;;) {
		if (input_line("demo> ", line, sizeof(line)) < 0)
			cmd_off("");
		execute(line);
	}
}
