/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the first line of C to the guest's own main. */
#include "check.h"
#include "desc.h"
#include "device.h"
#include "mm.h"

__attribute__((weak)) void guest_early(void)
{
}

extern const char linux_banner[];

noreturn void guest_start(void)
{
	guest_early();
	hcall_init();
	desc_init();
	mm_init();
	device_init();
	/* Also keeps the banner in the image. */
	if (option("verbose"))
		printf("%s\n", linux_banner);
	guest_main();
	power_off();
}
