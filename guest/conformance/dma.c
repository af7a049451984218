/* SPDX-License-Identifier: GPL-2.0-or-later */
/* BIND_DMA's bookkeeping and SEND_DMA as far as the console shows it. */
#include "check.h"
#include "mm.h"

#define MAX_BINDINGS 32

static struct lguest_dma dmas[40];
/* Keys are addresses; nobody looks behind them. */
static u32 keys[40];

static u32 bind(u32 i, u32 n, u32 irq)
{
	return hcall(LHCALL_BIND_DMA, phys(&keys[i]), phys(&dmas[i]),
		     n << 8 | irq);
}

static void check_bind(void)
{
	u32 i, sum = 0;

	check_eq("bind", bind(0, 1, 3), 1);
	check_eq("unbind", bind(0, 1, 0), 1);
	check_eq("unbind what was never bound", bind(1, 1, 0), 0);
	check_eq("irq 31", bind(0, 1, 31), 1);
	bind(0, 1, 0);
	check_eq("irq 32", bind(0, 1, 32), 0);
	check_eq("irq 255", bind(0, 1, 255), 0);
	check_eq("many buffers", bind(0, 255, 3), 1);
	bind(0, 1, 0);

	for (i = 0; i < MAX_BINDINGS; i++)
		sum += bind(i, 1, 5);
	check_eq("32 bindings", sum, MAX_BINDINGS);
	check_eq("no 33rd", bind(32, 1, 5), 0);
	check_eq("unbind in the middle", bind(7, 1, 0), 1);
	check_eq("makes room", bind(33, 1, 5), 1);
	check_eq("for one", bind(34, 1, 5), 0);
	check_eq("unbinding it again", bind(33, 1, 0), 1);
	for (i = 0, sum = 0; i < MAX_BINDINGS; i++)
		if (i != 7)
			sum += bind(i, 1, 0);
	check_eq("unbind them all", sum, MAX_BINDINGS - 1);

	check_eq("one key, two lists", bind(0, 1, 4), 1);
	check_eq("  the second", hcall(LHCALL_BIND_DMA, phys(&keys[0]),
				       phys(&dmas[1]), 1 << 8 | 4), 1);
	check_eq("  unbind the second", hcall(LHCALL_BIND_DMA, phys(&keys[0]),
					      phys(&dmas[1]), 1 << 8), 1);
	check_eq("  unbind the first", bind(0, 1, 0), 1);
	if (genuine()) {
		check_skip("unbind twice", "it crashed the genuine host");
	} else {
		bind(0, 1, 4);
		bind(0, 1, 0);
		check_eq("unbind twice", bind(0, 1, 0), 0);
		check_eq("and still bind", bind(0, 1, 4), 1);
		bind(0, 1, 0);
	}
}

static void check_console(void)
{
	static char text[16][32] __attribute__((aligned(512)));
	static struct lguest_dma dma;
	u32 i, total = 0;

	for (i = 0; i < 16; i++) {
		snprintf(text[i], 32, "(section %u)%s", i, i % 4 == 3 ? "\n" :
			 " ");
		dma.addr[i] = phys(text[i]);
		dma.len[i] = strlen(text[i]);
		total += dma.len[i];
	}
	dma.used_len = 0xFFFF;
	hcall(LHCALL_SEND_DMA, CONSOLE_KEY, phys(&dma), 0);
	check_eq("sixteen sections", dma.used_len, total);
	dma.len[3] = 0;
	hcall(LHCALL_SEND_DMA, CONSOLE_KEY, phys(&dma), 0);
	console_write("\n", 1);
	check_eq("length 0 ends the list", dma.used_len,
		 dma.len[0] + dma.len[1] + dma.len[2]);
	dma.len[0] = 0;
	hcall(LHCALL_SEND_DMA, CONSOLE_KEY, phys(&dma), 0);
	check_eq("an empty list", dma.used_len, 0);
	/* Nobody is there: the launcher may say so, we are not told. */
	dma.used_len = 0x1234;
	hcall(LHCALL_SEND_DMA, phys(&keys[9]), phys(&dma), 0);
	check_eq("a key nobody listens to", dma.used_len, 0x1234);
}

void guest_main(void)
{
	check_bind();
	check_console();
	check_finish();
}
