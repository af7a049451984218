/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The smallest conformance guest: it starts, it speaks, it stops. */
#include "check.h"

void guest_main(void)
{
	printf("Hello from ring %u\n", entry_state.cs & 3);
	check_eq("ram size is whole pages", ram_size() % 4096, 0);
	check_finish();
}
