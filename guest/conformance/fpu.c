/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The floating-point unit: the TS hypercall by which Linux makes it lazy, the
 * two kinds of exception it has, and known answers from x87 and SSE2.
 */
#include "cases.h"
#include "check.h"
#include "clock.h"
#include "mm.h"
#include "probe.h"

static void run(const u8 *code, u32 ring, u32 eax, struct probe_result *r)
{
	struct probe_state s;

	probe_defaults(&s, code, ring);
	s.eax = eax;
	s.ebx = P_RW;
	probe_run(&s, r);
}

/* ---- TS ---- */

SNIPPET(snip_fninit, "fninit");
SNIPPET(snip_fld1, "fld1; fstp %st(0)");
SNIPPET(snip_fwait, "fwait");
SNIPPET(snip_sse, "xorps %xmm0, %xmm0");
SNIPPET(snip_sse2, "paddd %xmm1, %xmm0");
SNIPPET(snip_mmx, "pxor %mm0, %mm0; emms");
SNIPPET(snip_fnstcw, "fnstcw (%ebx)");
SNIPPET(snip_fxsave, "fxsave (%ebx)");
SNIPPET(snip_ldmxcsr, "movl $0x1f80, (%ebx); ldmxcsr (%ebx)");
SNIPPET(snip_integer, "movl $5, %eax; imull $3, %eax; bswap %eax");
SNIPPET(snip_movnti, "movnti %eax, (%ebx); sfence; lfence; mfence");

static void check_ts(void)
{
	static const struct { const char *name; const u8 *code; } fpu[] = {
		{ "fninit", snip_fninit },
		{ "fld1", snip_fld1 },
		{ "fnstcw", snip_fnstcw },
		{ "xorps", snip_sse },
		{ "paddd", snip_sse2 },
		{ "pxor of mmx", snip_mmx },
		{ "fxsave", snip_fxsave },
		{ "fwait", snip_fwait },
	};
	struct probe_result r;
	u32 ring, i;
	char name[64];

	for (ring = 1; ring <= 3; ring += 2) {
		for (i = 0; i < ARRAY_SIZE(fpu); i++) {
			hcall(LHCALL_TS, 8, 0, 0);
			run(fpu[i].code, ring, 0, &r);
			snprintf(name, sizeof(name), "TS stops %s, ring %u",
				 fpu[i].name, ring);
			check(r.vector == 7 && r.error == 0 &&
			      (r.s.eip & 0xFFFF) ==
			      ((u32)fpu[i].code & 0xFFFF) -
			      (ring == 3 ? (u32)snippets_start & 0xFFFF : 0),
			      name);
			hcall(LHCALL_TS, 0, 0, 0);
			run(fpu[i].code, ring, 0, &r);
			snprintf(name, sizeof(name), "  and not without TS");
			check_eq(name, r.vector, SYSCALL_VECTOR);
		}
		hcall(LHCALL_TS, 8, 0, 0);
		run(snip_integer, ring, 0, &r);
		check_eq("TS lets integers pass", r.vector, SYSCALL_VECTOR);
		run(snip_movnti, ring, 0, &r);
		check_eq("TS lets movnti and fences pass", r.vector,
			 SYSCALL_VECTOR);
		hcall(LHCALL_TS, 0, 0, 0);
	}
}

/* ---- lazy switching, the way Linux does it ---- */

static u8 fx_image[2][512] __attribute__((aligned(16)));
static u32 fpu_owner, fpu_wanted, fpu_traps;

/* Device not available: the new program wants its registers after all. */
static bool switch_fpu(struct trap_frame *f)
{
	if (f->vector != 7)
		return false;
	fpu_traps++;
	hcall(LHCALL_TS, 0, 0, 0);
	asm volatile("fxrstor (%0)" : : "r"(fx_image[fpu_wanted]));
	fpu_owner = fpu_wanted;
	return true;
}

SNIPPET(snip_load, "movl %eax, (%ebx); fildl (%ebx); movd %eax, %xmm3");
SNIPPET(snip_store, "fistpl (%ebx); movl (%ebx), %eax; movd %xmm3, %ecx");

static void check_lazy(void)
{
	struct probe_result r;
	u32 i;

	asm volatile("fninit; fxsave (%0)" : : "r"(fx_image[0]) : "memory");
	memcpy(fx_image[1], fx_image[0], 512);
	fpu_owner = fpu_wanted = 0;
	run(snip_load, 3, 1000, &r);
	trap_hook = switch_fpu;
	for (i = 1; i < 5; i++) {
		/* The old one's are saved before TS goes up: once it is up,
		 * the genuine host forgets them. */
		fpu_wanted = i & 1;
		asm volatile("fxsave (%0)"
			     : : "r"(fx_image[fpu_owner]) : "memory");
		hcall(LHCALL_TS, 8, 0, 0);
		if (i == 1)
			run(snip_load, 3, 2000, &r);
		else
			run(snip_store, 3, 0, &r);
		if (i == 2)
			check(r.s.eax == 1000 && r.s.ecx == 1000,
			      "the first program's registers are back");
		if (i == 3)
			check(r.s.eax == 2000 && r.s.ecx == 2000,
			      "and the second one's");
	}
	trap_hook = NULL;
	check_eq("one trap for each switch", fpu_traps, 4);
	hcall(LHCALL_TS, 0, 0, 0);
}

/* The host runs its own code between ours: the registers must survive. */
static void check_survives(void)
{
	u32 a = 0, b = 0, i;
	u32 x = 123456789;

	asm volatile("fninit; fildl %0; movd %0, %%xmm5" : : "m"(x));
	for (i = 0; i < 20; i++) {
		hcall(LHCALL_FLUSH_ASYNC, 0, 0, 0);
		printf("%s", i == 19 ? "(twenty hypercalls later)\n" : "");
	}
	/* With interrupts off: a clock that came before HALT would not end it. */
	irqs_off();
	clock_arm_us(2000);
	hcall(LHCALL_HALT, 0, 0, 0);
	irqs_off();
	asm volatile("fistpl %0; movd %%xmm5, %1" : "=m"(a), "=m"(b));
	check_eq("x87 survives hypercalls and interrupts", a, x);
	check_eq("xmm survives them", b, x);
}

/* TS only forbids: whatever is in the registers stays there. */
static void check_ts_keeps(void)
{
	u32 a = 0, b = 0, x = 987654321;

	if (genuine()) {
		check_skip("TS keeps the registers", "the genuine one loses them");
		return;
	}
	asm volatile("fninit; fildl %0; movd %0, %%xmm5" : : "m"(x));
	hcall(LHCALL_TS, 8, 0, 0);
	hcall(LHCALL_TS, 0, 0, 0);
	asm volatile("fistpl %0; movd %%xmm5, %1" : "=m"(a), "=m"(b));
	check(a == x && b == x, "TS keeps the registers");
}

/* ---- exceptions ---- */

/* Divide by zero unmasked: the fault comes with the next waiting one. */
SNIPPET(snip_mf, "fninit; movl $0x037B, (%ebx); fldcw (%ebx); fldz; fld1;"
	"fdiv %st(1), %st; nop; fwait");
SNIPPET(snip_mf_masked, "fninit; fldz; fld1; fdiv %st(1), %st; fwait;"
	"fnstsw %ax; fninit");
SNIPPET(snip_clear, "fnclex; fninit");
SNIPPET(snip_mf_nowait, "fnstsw %ax; fnclex; fwait; fninit");
SNIPPET(snip_xm, "movl $0x1d80, (%ebx); ldmxcsr (%ebx); xorps %xmm0, %xmm0;"
	"movl $0x3f800000, (%ebx); movss (%ebx), %xmm1; divss %xmm0, %xmm1");
SNIPPET(snip_xm_masked, "movl $0x1f80, (%ebx); ldmxcsr (%ebx); xorps %xmm0, %xmm0;"
	"movl $0x3f800000, (%ebx); movss (%ebx), %xmm1; divss %xmm0, %xmm1;"
	"stmxcsr (%ebx); movl (%ebx), %eax; movd %xmm1, %ecx");
SNIPPET(snip_mxcsr_bad, "movl $0xFFFF0000, (%ebx); ldmxcsr (%ebx)");

static void check_exceptions(void)
{
	struct probe_result r;
	u32 ring;

	for (ring = 1; ring <= 3; ring += 2) {
		printf("ring %u:\n", ring);
		run(snip_mf, ring, 0, &r);
		check_eq("unmasked x87 exception", r.vector, 16);
		/* ...which is one byte before the final int. */
		check_eq("  at the next waiting instruction",
			 *(u8 *)r.s.eip, 0x9B);
		run(snip_mf_nowait, ring, 0, &r);
		check(r.vector == SYSCALL_VECTOR && (r.s.eax & 0x84) == 0x84,
		      "fnstsw does not wait, fnclex clears");
		run(snip_mf_masked, ring, 0, &r);
		check(r.vector == SYSCALL_VECTOR && (r.s.eax & 0x84) == 4,
		      "masked x87 exception only leaves its mark");
		if (genuine())
			check_skip("unmasked SSE exception",
				   "QEMU differs from processors");
		else {
			run(snip_xm, ring, 0, &r);
			check_eq("unmasked SSE exception", r.vector, 19);
			check_eq("  at the division itself",
				 *(u32 *)r.s.eip, 0xC85E0FF3);
		}
		run(snip_xm_masked, ring, 0, &r);
		check(r.vector == SYSCALL_VECTOR &&
		      r.s.ecx == 0x7F800000, "1 / 0 is infinite");
		check_eq("  and the flag is set", r.s.eax, 0x1F84);
		if (!genuine()) {
			/* QEMU lets them pass. */
			run(snip_mxcsr_bad, ring, 0, &r);
			check_eq("reserved bits of MXCSR", r.vector, 13);
		}
		run(snip_ldmxcsr, ring, 0, &r);
		run(snip_clear, ring, 0, &r);
	}
}

/* ---- known answers ---- */

struct real80 {
	u32 lo, hi;
	u16 exp;
} __attribute__((packed));

static void expect80(const char *name, const struct real80 *r, u16 exp, u32 hi,
		     u32 lo)
{
	if (r->exp != exp || r->hi != hi || r->lo != lo)
		check_fail(name, "%x %08x%08x", r->exp, r->hi, r->lo);
	else
		check(true, name);
}

static void x87_answers(void)
{
	struct real80 r;
	u16 cw, sw;
	u32 i, n;
	s32 v;
	u64 q;
	u8 bcd[10];
	static const u16 rounding[] = { 0x037F, 0x077F, 0x0B7F, 0x0F7F };
	static const s32 rounded[4] = { -2, -3, -2, -2 };	/* of -2.5 */

	asm volatile("fninit; fnstcw %0; fnstsw %1" : "=m"(cw), "=a"(sw));
	check_eq("control word after fninit", cw, 0x37F);
	check_eq("status word after fninit", sw, 0);
	asm volatile("fldpi; fstpt %0" : "=m"(r));
	expect80("fldpi", &r, 0x4000, 0xC90FDAA2, 0x2168C235);
	asm volatile("fldl2e; fstpt %0" : "=m"(r));
	expect80("fldl2e", &r, 0x3FFF, 0xB8AA3B29, 0x5C17F0BC);
	n = 2;
	asm volatile("fildl %1; fsqrt; fstpt %0" : "=m"(r) : "m"(n));
	expect80("square root of 2", &r, 0x3FFF, 0xB504F333, 0xF9DE6484);
	n = 3;
	asm volatile("fld1; fidivl %1; fstpt %0" : "=m"(r) : "m"(n));
	expect80("1/3", &r, 0x3FFD, 0xAAAAAAAA, 0xAAAAAAAB);
	cw = 0x0F7F;
	asm volatile("fldcw %2; fld1; fidivl %1; fstpt %0"
		     : "=m"(r) : "m"(n), "m"(cw));
	expect80("1/3 towards zero", &r, 0x3FFD, 0xAAAAAAAA, 0xAAAAAAAA);
	cw = 0x027F;
	asm volatile("fldcw %2; fld1; fidivl %1; fstpt %0"
		     : "=m"(r) : "m"(n), "m"(cw));
	expect80("1/3 in double precision", &r, 0x3FFD, 0xAAAAAAAA, 0xAAAAA800);
	cw = 0x007F;
	asm volatile("fldcw %2; fld1; fidivl %1; fstpt %0; fninit"
		     : "=m"(r) : "m"(n), "m"(cw));
	expect80("1/3 in single precision", &r, 0x3FFD, 0xAAAAAB00, 0);

	v = -5;
	n = 2;
	for (i = 0; i < 4; i++) {
		s32 got;

		asm volatile("fldcw %3; fildl %1; fidivl %2; fistpl %0"
			     : "=m"(got) : "m"(v), "m"(n), "m"(rounding[i]));
		check_eq("-2.5 rounded", got, rounded[i]);
	}
	asm volatile("fninit");
	q = 0x123456789ABCDEFULL;
	asm volatile("fildll %1; fistpll %0" : "=m"(r) : "m"(q));
	check(r.lo == 0x89ABCDEF && r.hi == 0x01234567, "64-bit integers");
	v = -1234567890;
	asm volatile("fildl %1; fbstp %0" : "=m"(bcd) : "m"(v));
	check(bcd[0] == 0x90 && bcd[4] == 0x12 && bcd[9] == 0x80, "fbstp");
	asm volatile("fbld %1; fistpl %0" : "=m"(v) : "m"(bcd));
	check_eq("fbld", v, -1234567890);
	asm volatile("fld1; fldz; fcomi %%st(1), %%st; setc %%al; seta %%ah;"
		     "fcompp" : "=a"(n));
	check_eq("fcomi", n & 0xFFFF, 0x0001);
	asm volatile("fldz; fld1; fcompp; fnstsw %%ax" : "=a"(n));
	check_eq("fcom", n & 0x4500, 0);
	asm volatile("fld1; fxam; fnstsw %%ax; fstp %%st(0)" : "=a"(n));
	check_eq("fxam of 1", n & 0x4700, 0x0400);
	n = 17;
	v = 5;
	asm volatile("fildl %2; fildl %1; fprem; fistpl %0; fstp %%st(0)"
		     : "=m"(i) : "m"(n), "m"(v));
	check_eq("fprem", i, 2);
	n = 10;
	asm volatile("fildl %1; fld1; fscale; fistpl %0; fstp %%st(0)"
		     : "=m"(i) : "m"(n));
	check_eq("fscale", i, 1024);
	/* Within a part in a million: the last bits differ between makers. */
	n = 1000000;
	asm volatile("fildl %1; fldpi; fidivl %2; fsin; fmulp; fistpl %0"
		     : "=m"(i) : "m"(n), "m"((u32){ 6 }));
	check_eq("sine of pi/6", i, 500000);
	asm volatile("fildl %1; fld1; fld1; fpatan; fmulp; fistpl %0"
		     : "=m"(i) : "m"(n));
	check_eq("arc tangent of 1", i, 785398);
	asm volatile("fildl %1; fldl2e; fld %%st; frndint; fsubr %%st, %%st(1);"
		     "fxch; f2xm1; fld1; faddp; fscale; fstp %%st(1);"
		     "fmulp; fistpl %0" : "=m"(i) : "m"(n));
	check_eq("e", i, 2718282);
	asm volatile("fnstsw %%ax" : "=a"(n));
	check_eq("the stack is empty again", n & 0x3800, 0);
}

typedef u32 vec[4] __attribute__((aligned(16)));

static void sse_answers(void)
{
	static const vec f = { 0x3F800000, 0x40000000, 0x40400000, 0x40800000 };
	static const vec g = { 0x3F000000, 0xC0000000, 0x7F800000, 0x00000001 };
	static const vec d = { 0, 0x40000000, 0, 0x3FF80000 };	/* 2, 1.5 */
	static const vec p = { 0x7F80FF01, 0x12345678, 0x80000000, 0xFFFFFFFF };
	static const vec q = { 0x01FF0180, 0x0F0F0F0F, 0x80000000, 0x00000001 };
	vec r;
	u32 n;
#define SSE(insns, a, b) \
	asm volatile("movaps %1, %%xmm0; movaps %2, %%xmm1;" insns \
		     "; movaps %%xmm0, %0" : "=m"(r) : "m"(a), "m"(b))
#define WANT(name, w0, w1, w2, w3) do {					\
	if (r[0] != (w0) || r[1] != (w1) || r[2] != (w2) || r[3] != (w3)) \
		check_fail(name, "%08x %08x %08x %08x", r[0], r[1], r[2], \
			   r[3]);					\
	else								\
		check(true, name);					\
} while (0)

	SSE("addps %%xmm1, %%xmm0", f, g);
	WANT("addps", 0x3FC00000, 0, 0x7F800000, 0x40800000);
	SSE("mulps %%xmm1, %%xmm0", f, g);
	WANT("mulps", 0x3F000000, 0xC0800000, 0x7F800000, 4);
	SSE("divss %%xmm1, %%xmm0", f, g);
	WANT("divss", 0x40000000, 0x40000000, 0x40400000, 0x40800000);
	SSE("maxps %%xmm1, %%xmm0", f, g);
	WANT("maxps", 0x3F800000, 0x40000000, 0x7F800000, 0x40800000);
	SSE("cmpltps %%xmm1, %%xmm0", f, g);
	WANT("cmpltps", 0, 0, 0xFFFFFFFF, 0);
	SSE("shufps $0x1B, %%xmm1, %%xmm0", f, f);
	WANT("shufps", 0x40800000, 0x40400000, 0x40000000, 0x3F800000);
	SSE("unpcklps %%xmm1, %%xmm0", f, g);
	WANT("unpcklps", 0x3F800000, 0x3F000000, 0x40000000, 0xC0000000);
	SSE("sqrtpd %%xmm1, %%xmm0", f, d);
	WANT("sqrtpd", 0x667F3BCD, 0x3FF6A09E, 0x1409212E,
	     0x3FF3988E);
	SSE("mulpd %%xmm1, %%xmm0", d, d);
	WANT("mulpd", 0, 0x40100000, 0, 0x40020000);
	SSE("divpd %%xmm1, %%xmm0; divsd %%xmm1, %%xmm0", d, d);
	WANT("divpd", 0, 0x3FE00000, 0, 0x3FF00000);
	SSE("cvtps2pd %%xmm1, %%xmm0", f, g);
	WANT("cvtps2pd", 0, 0x3FE00000, 0, 0xC0000000);
	SSE("cvtpd2ps %%xmm1, %%xmm0", f, d);
	WANT("cvtpd2ps", 0x40000000, 0x3FC00000, 0, 0);
	SSE("cvttps2dq %%xmm1, %%xmm0", f, f);
	WANT("cvttps2dq", 1, 2, 3, 4);
	SSE("cvtdq2ps %%xmm1, %%xmm0", f, q);
	WANT("cvtdq2ps", 0x4BFF80C0, 0x4D70F0F1, 0xCF000000, 0x3F800000);
	SSE("paddsb %%xmm1, %%xmm0", p, q);
	WANT("paddsb", 0x7F800081, 0x2143657F, 0x80000000, 0xFFFFFF00);
	SSE("paddusw %%xmm1, %%xmm0", p, q);
	WANT("paddusw", 0x817FFFFF, 0x21436587, 0xFFFF0000, 0xFFFFFFFF);
	SSE("pmaddwd %%xmm1, %%xmm0", p, q);
	WANT("pmaddwd", 0x7F80 * 0x1FF - 0xFF * 0x180, 0x1234 * 0xF0F + 0x5678 * 0xF0F,
	     0x40000000, 0xFFFFFFFF);
	SSE("pmuludq %%xmm1, %%xmm0", p, q);
	WANT("pmuludq", 0x447D8180, 0x00FE833C, 0, 0x40000000);
	SSE("pshufd $0x93, %%xmm1, %%xmm0", f, f);
	WANT("pshufd", 0x40800000, 0x3F800000, 0x40000000, 0x40400000);
	SSE("packsswb %%xmm1, %%xmm0", p, q);
	WANT("packsswb", 0x7F7F7F80, 0xFFFF8000, 0x7F7F7F7F, 0x00018000);
	SSE("pcmpeqb %%xmm1, %%xmm0", p, q);
	WANT("pcmpeqb", 0, 0, 0xFFFFFFFF, 0);
	SSE("psllq $36, %%xmm0", f, f);
	WANT("psllq", 0, 0xF8000000, 0, 0x04000000);
	SSE("pslldq $5, %%xmm0", p, f);
	WANT("pslldq", 0, 0x80FF0100, 0x3456787F, 0x00000012);
	SSE("punpckhwd %%xmm1, %%xmm0", p, q);
	WANT("punpckhwd", 0, 0x80008000, 0x0001FFFF, 0x0000FFFF);
	asm volatile("movaps %1, %%xmm0; movmskps %%xmm0, %0"
		     : "=r"(n) : "m"(g));
	check_eq("movmskps", n, 2);
	asm volatile("movaps %1, %%xmm0; pmovmskb %%xmm0, %0"
		     : "=r"(n) : "m"(p));
	check_eq("pmovmskb", n, 0xF806);
	asm volatile("movaps %1, %%xmm0; cvttsd2si %%xmm0, %0"
		     : "=r"(n) : "m"(d));
	check_eq("cvttsd2si", n, 2);
	asm volatile("movaps %1, %%xmm0; movaps %2, %%xmm1;"
		     "comiss %%xmm1, %%xmm0; setbe %%al; movzbl %%al, %0"
		     : "=a"(n) : "m"(f), "m"(g));
	check_eq("comiss", n, 0);
	asm volatile("movq %1, %%mm0; paddusb %2, %%mm0; movq %%mm0, %0; emms"
		     : "=m"(r) : "m"(p), "m"(q));
	check(r[0] == 0x80FFFF81 && r[1] == 0x21436587, "paddusb of mmx");
}

void guest_main(void)
{
	cases_map();
	clock_init();
	check_ts();
	check_lazy();
	check_ts_keeps();
	check_survives();
	check_exceptions();
	x87_answers();
	sse_answers();
	check_finish();
}
