/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Segments: what may be loaded where (the table), bases and limits, the TLS
 * entries, far control transfers within a ring, and the four instructions
 * that ask about descriptors.
 */
#include "segments.h"
#include "cases.h"
#include "check.h"
#include "desc.h"
#include "mm.h"
#include "probe.h"

static void set_up(void)
{
#define D(sel, d) gdt[(sel) >> 3] = d
	D(SEG_ABSENT, make_desc(0, 0xFFFFF, 0x13 | DESC_DPL(1), 0xC));
	D(SEG_XO, make_desc(0, 0xFFFFF, DESC_CODE_XO | DESC_DPL(3), 0xC));
	D(SEG_SMALL, make_desc(P_RW, 15, DESC_DATA_RW | DESC_DPL(3), DESC_32));
	D(SEG_SYSTEM, make_desc(0, 0xFF, 0x82 | DESC_DPL(1), 0));
	D(SEG_DPL0, make_desc(0, 0xFFFFF, DESC_DATA_RW, 0xC));
	D(SEG_CONFORM, make_desc(0, 0xFFFFF, DESC_CONFORM, 0xC));
	D(SEG_DOWN, make_desc(P_RW, 0, 0x97 | DESC_DPL(3), 0xC));
	D(SEG_RO, make_desc(0, 0xFFFFF, DESC_DATA_RO | DESC_DPL(3), 0xC));
	D(SEG_ABSENT_CODE, make_desc(0, 0xFFFFF, 0x1B | DESC_DPL(3), 0xC));
	D(SEG_ABSENT3, make_desc(0, 0xFFFFF, 0x13 | DESC_DPL(3), 0xC));
	D(SEG_HIGH, make_desc(P_RW + 0x800, 0xFFFFF,
			      DESC_DATA_RW | DESC_DPL(3), 0xC));
	gdt_load();
}

static void run(const u8 *code, u32 ring, u32 eax, struct probe_result *r)
{
	struct probe_state s;

	probe_defaults(&s, code, ring);
	s.eax = eax;
	s.ebx = P_RW;
	s.edi = P_RW;
	probe_run(&s, r);
}

/* ---- bases ---- */

SNIPPET(snip_gs0, "movw %ax, %gs; movl %gs:0, %ecx; movl %gs:4, %edx");
SNIPPET(snip_gs_write, "movw %ax, %gs; movl $0x600D, %gs:8");
SNIPPET(snip_gs_neg, "movw %ax, %gs; movl %gs:-0x800, %ecx;"
	"movl $-0x7FC, %esi; movl %gs:(%esi), %edx");
SNIPPET(snip_gs_last, "movw %ax, %gs; movl %gs:12, %ecx; movb %gs:15, %dl");
SNIPPET(snip_es_string, "movw %ax, %es; xorl %edi, %edi; movl $0x57051234, %eax;"
	"stosl; movl $8, %edi; stosl");
SNIPPET(snip_ss, "movl %esp, %ebp; movw %ss, %dx; movw %ax, %ss; movl $12, %esp;"
	"pushl $0x57AC4; movl %esp, %ecx; popl %esi; movw %dx, %ss; movl %ebp, %esp");
SNIPPET(snip_down, "movw %ax, %gs; movl %gs:0x1000, %ecx");
SNIPPET(snip_lea, "movw %ax, %gs; .byte 0x65; leal 4(%ebx), %ecx");
SNIPPET(snip_fs_gs, "movw %ax, %gs; movw %ax, %fs; movl %fs:0, %ecx;"
	"addl %gs:4, %ecx; movl $1, %edx; xchgl %edx, %fs:8");

static void check_bases(u32 ring)
{
	volatile u32 *p = (u32 *)frames[0];
	struct probe_result r;

	memset(frames[0], 0, PAGE_SIZE);
	p[0] = 0x1000;
	p[1] = 0x1001;
	p[3] = 0xFE001003;
	p[0x200] = 0x1200;
	run(snip_gs0, ring, SEG_SMALL | 3, &r);
	check(r.s.ecx == 0x1000 && r.s.edx == 0x1001, "gs-relative read");
	check_eq("  gs in the frame", r.s.gs, SEG_SMALL | 3);
	run(snip_gs_write, ring, SEG_SMALL | 3, &r);
	check_eq("gs-relative write", p[2], 0x600D);
	run(snip_gs_last, ring, SEG_SMALL | 3, &r);
	check(r.s.ecx == 0xFE001003 && (r.s.edx & 0xFF) == 0xFE,
	      "up to the limit");
	run(snip_gs_neg, ring, SEG_HIGH | 3, &r);
	check(r.s.ecx == 0x1000 && r.s.edx == 0x1001,
	      "offsets wrap around 4 GiB");
	run(snip_es_string, ring, SEG_HIGH | 3, &r);
	check(p[0x200] == 0x57051234 && p[0x202] == 0x57051234,
	      "stos uses the base of es");
	run(snip_lea, ring, SEG_HIGH | 3, &r);
	check_eq("lea does not", r.s.ecx, P_RW + 4);
	p[1] = 0x30;
	run(snip_fs_gs, ring, SEG_SMALL | 3, &r);
	check(r.s.ecx == 0x1030 && p[2] == 1, "fs and gs together");
	if (ring == 3) {
		run(snip_ss, ring, SEG_SMALL | 3, &r);
		check(r.s.ecx == 8 && r.s.esi == 0x57AC4 && p[2] == 0x57AC4,
		      "a stack with a base");
	}
	/* Expand-down with limit 0xFFF: it begins where others end. */
	p = (u32 *)frames[0];
	set_pte(P_NONE, frame_pte(7, 7));
	*(u32 *)frames[7] = 0xD035;
	run(snip_down, ring, SEG_DOWN | 3, &r);
	check_eq("expand-down segment above its limit", r.s.ecx, 0xD035);
	set_pte(P_NONE, 0);
}

/* ---- TLS ---- */

static struct desc tls[3];

static void load_tls(u32 base, u32 entry)
{
	memset(tls, 0, sizeof(tls));
	tls[entry] = make_desc(base, 0xFFFFF, DESC_DATA_RW | DESC_DPL(3), 0xC);
	hcall(LHCALL_LOAD_TLS, phys(tls), 0, 0);
}

static void check_tls(void)
{
	struct probe_result r;
	u32 i;

	for (i = 0; i < 3; i++) {
		u32 sel = (GDT_ENTRY_TLS_MIN + i) << 3 | 3;

		*(u32 *)frames[0] = 0x7150 + i;
		load_tls(P_RW, i);
		run(snip_gs0, 3, sel, &r);
		check_eq("TLS entry", r.s.ecx, 0x7150 + i);
		*(u32 *)(frames[0] + 0x100) = 0x7250 + i;
		load_tls(P_RW + 0x100, i);
		run(snip_gs0, 3, sel, &r);
		check_eq("  moved", r.s.ecx, 0x7250 + i);
		load_tls(P_RW, (i + 1) % 3);
		run(snip_gs0, 3, sel, &r);
		check_eq("  gone", r.vector, 13);
		check_eq("  error code", r.error, sel & ~3);
	}
	/* A table without them takes them away; they are entries like any. */
	load_tls(P_RW, 0);
	gdt_load();
	run(snip_gs0, 3, 0x33, &r);
	check_eq("LOAD_GDT replaces the TLS entries", r.vector, 13);
	/* A short table leaves the rest alone. */
	load_tls(P_RW, 0);
	hcall(LHCALL_LOAD_GDT, phys(gdt), 4, 0);
	run(snip_gs0, 3, 0x33, &r);
	check_eq("a short LOAD_GDT leaves them", r.vector, SYSCALL_VECTOR);
	gdt_load();
}

/* ---- null selectors, and segments lost on the way to ring 3 ---- */

SNIPPET(snip_null, "xorl %eax, %eax; movw %ax, %fs; movw %ax, %gs;"
	"movl $3, %eax; movw %ax, %fs; mov %fs, %ecx; movl $0xFFFFFFFF, %eax;"
	"movw %gs, %ax; mov %gs, %edx");
SNIPPET(snip_segs, "movl $0, %eax; movw %ds, %ax; movl $0, %ebx; movw %es, %bx;"
	"movl $0, %ecx; movw %fs, %cx; movl $0, %edx; movw %gs, %dx");

static void check_null(void)
{
	struct probe_state s;
	struct probe_result r;
	u32 ring;

	for (ring = 1; ring <= 3; ring += 2) {
		run(snip_null, ring, 0, &r);
		check(r.vector == SYSCALL_VECTOR && r.s.ecx == 3,
		      "null selectors may be loaded, with any RPL");
		check(r.s.eax == 0xFFFF0000 && r.s.edx == 0,
		      "a segment register store has 16 or 32 bits");
	}
	probe_defaults(&s, snip_segs, 3);
	s.ds = s.es = s.fs = KERNEL_DS;
	s.gs = USER_DS;
	probe_run(&s, &r);
	check(r.s.eax == 0 && r.s.ebx == 0 && r.s.ecx == 0,
	      "iret to ring 3 drops the kernel's data segments");
	check_eq("  and keeps the user's", r.s.edx, USER_DS);
	probe_defaults(&s, snip_segs, 1);
	s.fs = s.gs = USER_DS;
	probe_run(&s, &r);
	check(r.s.eax == KERNEL_DS && r.s.ecx == USER_DS,
	      "iret within ring 1 keeps them");
}

/* ---- far transfers which are fine ---- */

/* Position independent: the same bytes run at two addresses. */
#define FAR_HERE(cs) "call 9f; 9: popl %esi; addl $8f-9b, %esi;"
SNIPPET(snip_lret, FAR_HERE(x) "pushl %cs; pushl %esi; lret; ud2; 8: movl $1, %ecx");
SNIPPET(snip_lret_n, FAR_HERE(x) "movl %esp, %edx; pushl $0; pushl $0; pushl %cs;"
	"pushl %esi; lret $8; ud2; 8: movl $1, %ecx; subl %esp, %edx");
SNIPPET(snip_ljmp, FAR_HERE(x) "pushl %cs; pushl %esi; ljmp *(%esp); ud2;"
	"8: movl $1, %ecx; addl $8, %esp");
SNIPPET(snip_lcall, FAR_HERE(x) "movl %esp, %ebp; pushl %cs; pushl %esi;"
	"lcall *(%esp); 7: jmp 6f; 8: movl (%esp), %eax; subl %esi, %eax;"
	"addl $8b-7b, %eax; movl 4(%esp), %edx; lret; 6: addl $8, %esp; subl %esp, %ebp");
SNIPPET(snip_iret, FAR_HERE(x) "pushl $0x8D7; pushl %cs; pushl %esi; iret; ud2;"
	"8: pushfl; popl %ecx");
SNIPPET(snip_conform, FAR_HERE(x) "pushl $0xBB; pushl %esi; ljmp *(%esp); ud2;"
	"8: mov %cs, %ecx; addl $8, %esp");
SNIPPET(snip_ljmp_kernel, "ljmp $0x61, $1f; ud2; 1: movl $1, %ecx");
SNIPPET(snip_ljmp_rpl0, "ljmp $0x60, $1f; ud2; 1: mov %cs, %ecx");
SNIPPET(snip_lcall_kernel, "lcall $0x61, $1f; jmp 2f; 1: movl $1, %ecx; lret; 2:");
static void check_far(u32 ring)
{
	struct probe_result r;

	run(snip_lret, ring, 0, &r);
	check(r.vector == SYSCALL_VECTOR && r.s.ecx == 1, "lret");
	run(snip_lret_n, ring, 0, &r);
	check(r.vector == SYSCALL_VECTOR && r.s.edx == 0, "lret n");
	run(snip_ljmp, ring, 0, &r);
	check(r.vector == SYSCALL_VECTOR && r.s.ecx == 1,
	      "ljmp through memory");
	run(snip_lcall, ring, 0, &r);
	check(r.vector == SYSCALL_VECTOR && r.s.eax == 0 && r.s.ebp == 0,
	      "lcall through memory and lret");
	check_eq("  cs on the stack", r.s.edx & 0xFFFF,
		 ring == 3 ? USER_CS : KERNEL_CS);
	run(snip_iret, ring, 0, &r);
	check(r.vector == SYSCALL_VECTOR && r.s.ecx == 0xAD7, "iret");
	run(snip_conform, ring, 0, &r);
	check_eq("conforming code keeps the ring", r.s.ecx,
		 SEG_CONFORM | ring);
	if (ring == 1) {
		run(snip_ljmp_kernel, 1, 0, &r);
		check_eq("ljmp", r.s.ecx, 1);
		run(snip_ljmp_rpl0, 1, 0, &r);
		check_eq("ljmp with RPL 0 stays in ring 1", r.s.ecx,
			 KERNEL_CS);
		run(snip_lcall_kernel, 1, 0, &r);
		check_eq("lcall", r.s.ecx, 1);
	}
}

/* lret outwards, which also changes the stack and drops segments. */
SNIPPET(snip_lret_out, "pushl $0x7b; pushl $0x081ff800; pushl $0x73;"
	"pushl %eax; lret; ud2");

static void check_lret_out(void)
{
	struct probe_result r;

	run(snip_lret_out, 1, user_alias(snip_segs), &r);
	check_eq("lret to ring 3", r.s.cs, USER_CS);
	check_eq("  stack", r.s.esp, 0x081ff800);
	check_eq("  ss", r.s.ss, USER_DS);
	check_eq("  drops the kernel's ds", r.s.eax, 0);
}

/* ---- asking about descriptors ---- */

/* Bits 16 to 19 of the result are not defined. */
SNIPPET(snip_lar, "lar %eax, %ecx; setz %dl; jnz 1f; andl $0xF0FF00, %ecx; 1:");
SNIPPET(snip_lsl, "lsl %eax, %ecx; setz %dl");
SNIPPET(snip_verr, "verr %ax; setz %dl");
SNIPPET(snip_verw, "verw %ax; setz %dl");
SNIPPET(snip_arpl, "movl $3, %ecx; arpl %cx, %ax; setz %dl");

static void ask(const char *name, const u8 *code, u32 ring, u32 sel, bool zf,
		u32 ecx)
{
	struct probe_state s;
	struct probe_result r;
	char full[80];

	snprintf(full, sizeof(full), "%s of 0x%x, ring %u", name, sel, ring);
	probe_defaults(&s, code, ring);
	s.eax = sel;
	s.ecx = 0xC0FFEE;
	probe_run(&s, &r);
	if (r.vector != SYSCALL_VECTOR)
		check_fail(full, "trap %u error 0x%x", r.vector, r.error);
	else if ((r.s.edx & 1) != zf)
		check_fail(full, "ZF %u", r.s.edx & 1);
	else if (r.s.ecx != (ecx ? ecx : 0xC0FFEE))
		check_fail(full, "0x%x, want 0x%x", r.s.ecx, ecx);
	else
		check(true, full);
}

static void check_ask(void)
{
	struct probe_result r;

	ask("lar", snip_lar, 1, KERNEL_CS, true, 0xC0BB00);
	ask("lar", snip_lar, 1, KERNEL_DS, true, 0xC0B300);
	ask("lar", snip_lar, 3, KERNEL_DS, false, 0);
	ask("lar", snip_lar, 3, USER_CS, true, 0xC0FB00);
	ask("lar", snip_lar, 3, USER_DS, true, 0xC0F300);
	ask("lar", snip_lar, 1, SEG_DPL0, true, 0xC0B300);
	ask("lar", snip_lar, 1, SEG_CONFORM, true, 0xC0BF00);
	ask("lar", snip_lar, 3, SEG_CONFORM, true, 0xC0BF00);
	ask("lar", snip_lar, 3, SEG_ABSENT3 | 3, true, 0xC07300);
	ask("lar", snip_lar, 1, SEG_SYSTEM, true, 0xA300);
	ask("lar", snip_lar, 1, 0, false, 0);
	ask("lar", snip_lar, 1, 0x100, false, 0);
	ask("lar", snip_lar, 1, 0x0F, false, 0);
	ask("lsl", snip_lsl, 1, KERNEL_DS, true, 0xFFFFFFFF);
	ask("lsl", snip_lsl, 3, KERNEL_DS, false, 0);
	ask("lsl", snip_lsl, 3, SEG_SMALL | 3, true, 15);
	ask("lsl", snip_lsl, 3, 0x100, false, 0);
	ask("verr", snip_verr, 1, KERNEL_CS, true, 0);
	ask("verr", snip_verr, 1, SEG_XO | 3, false, 0);
	ask("verr", snip_verr, 3, KERNEL_DS, false, 0);
	ask("verr", snip_verr, 3, SEG_CONFORM, true, 0);
	ask("verr", snip_verr, 3, 0, false, 0);
	ask("verr", snip_verr, 1, SEG_SYSTEM, false, 0);
	ask("verw", snip_verw, 1, KERNEL_DS, true, 0);
	ask("verw", snip_verw, 1, KERNEL_CS, false, 0);
	ask("verw", snip_verw, 3, SEG_RO | 3, false, 0);
	ask("verw", snip_verw, 3, USER_DS, true, 0);
	ask("verw", snip_verw, 3, KERNEL_DS, false, 0);
	run(snip_arpl, 3, 0x60, &r);
	check(r.s.eax == 0x63 && (r.s.edx & 1), "arpl raises the RPL");
	run(snip_arpl, 3, 0x63, &r);
	check(r.s.eax == 0x63 && !(r.s.edx & 1), "arpl has nothing to do");
}

void guest_main(void)
{
	u32 ring;

	set_up();
	cases_map();
	cases_run();
	for (ring = 1; ring <= 3; ring += 2) {
		printf("ring %u:\n", ring);
		check_bases(ring);
		check_far(ring);
	}
	check_tls();
	check_null();
	check_lret_out();
	check_ask();
	check_finish();
}
