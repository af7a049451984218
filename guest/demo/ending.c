/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Three ways to stop. */
#include "demo.h"

void cmd_crash(const char *args)
{
	printf("The launcher will tell you why.\n");
	crash(*args ? args : "the demo kernel was asked to crash");
}

void cmd_reboot(const char *args)
{
	/* What a PC does: pulse the reset line by way of the keyboard
	 * controller.  The port exists only in the host's imagination. */
	printf("Rebooting.\n");
	asm volatile("outb %%al, %%dx" : : "a"(0xFE), "d"(0x64));
	printf("This host does not know how to reboot; powering off.\n");
	power_off();
}

void cmd_off(const char *args)
{
	printf("Good-bye.\n");
	power_off();
}
