/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tables of cases (cases.inc) and their runner agree upon. */
#ifndef GUEST_CASES_H
#define GUEST_CASES_H

/* Which rings run it. */
#define RING1		1
#define RING3		2
#define BOTH_RINGS	3

/* Low byte of the flags: how far %eip moves (traps, as opposed to faults). */
#define AFTER(n)	(n)
#define NO_FLAGS	0x100	/* arithmetic flags undefined */
#define NO_CR2		0x200	/* which byte is hit first is not architecture */
#define ANY_W		0x400	/* a read-modify-write may count as either */
#define OURS		0x800	/* more than the genuine hypervisor promises */
#define NOT_TCG		0x1000	/* QEMU's TCG, under which we run the genuine
				   hypervisor, gets this one wrong */

#define ONLY_ESP	0x2000	/* it may have got somewhere; %esp must not move */

/* The pages at USER_PAGES on which the cases stumble; cases.inc sets the same
 * as symbols, for cpp would put spaces into a macro's arguments. */
#ifndef __ASSEMBLY__
#define P_RW	0x08100000	/* user, writable; registers point here */
#define P_NONE	0x08101000	/* not present, just after P_RW */
#define P_RO	0x08102000	/* user, read-only */
#define P_SUP	0x08103000	/* supervisor, writable */
#define P_SUPRO	0x08104000	/* supervisor, read-only */
#define P_NONE2	0x08105000	/* not present, just below P_STK */
#define P_STK	0x08106000	/* user, writable */
#define P_NONE3	0x08107000	/* not present, just above P_STK */
#define P_RW3	0x08108000	/* user, writable, just below P_RO3 */
#define P_RO3	0x08109000	/* user, read-only */

/* Map the pages above. */
void cases_map(void);
/* Run every case linked into this guest. */
void cases_run(void);
#endif
#endif
