/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Integer arithmetic against models written in C: results and flags of every
 * operation on values near the edges, in all three widths.  One line for each
 * instruction; the first disagreement is shown.
 */
#include "check.h"

#define CF X86_EFLAGS_CF
#define PF X86_EFLAGS_PF
#define AF X86_EFLAGS_AF
#define ZF X86_EFLAGS_ZF
#define SF X86_EFLAGS_SF
#define OF X86_EFLAGS_OF
#define ALL X86_EFLAGS_ARITH

static const u32 values[] = {
	0, 1, 2, 3, 7, 8, 0xF, 0x10, 0x7E, 0x7F, 0x80, 0x81, 0xFE, 0xFF,
	0x100, 0x101, 0x7FFE, 0x7FFF, 0x8000, 0x8001, 0xFFFE, 0xFFFF, 0x10000,
	0x12345678, 0x55555555, 0x7FFFFFFF, 0x80000000, 0x80000001, 0x87654321,
	0xAAAAAAAA, 0xFFFF0000, 0xFFFFFFFE, 0xFFFFFFFF,
};
#define N ARRAY_SIZE(values)

/* What came out, and what the model says. */
struct outcome {
	u32 r, r2, flags;
};

static u32 failures;
static const char *current;

static void begin(const char *name)
{
	current = name;
	failures = 0;
}

static void compare(u32 a, u32 b, u32 c, const struct outcome *got,
		    const struct outcome *want, u32 mask)
{
	if (got->r == want->r && got->r2 == want->r2 &&
	    !((got->flags ^ want->flags) & mask))
		return;
	if (!failures++)
		printf("  %s(%x, %x, %x): got %x %x flags %x, want %x %x "
		       "flags %x\n", current, a, b, c, got->r, got->r2,
		       got->flags & mask, want->r, want->r2,
		       want->flags & mask);
}

static void end(void)
{
	check_eq(current, failures, 0);
}

static u32 width_mask(u32 w)
{
	return w == 32 ? ~0U : (1U << w) - 1;
}

/* ZF, SF and PF follow from the result alone. */
static u32 szp(u32 r, u32 w)
{
	u32 f = 0;

	r &= width_mask(w);
	if (!r)
		f |= ZF;
	if (r >> (w - 1))
		f |= SF;
	if (!(__builtin_popcount(r & 0xFF) & 1))
		f |= PF;
	return f;
}

/* Run `insn %[b], %[a]` with the flags given, collect what it leaves. */
#define RUN(insn, constraint, type, a, b, fl, out) do {			\
	type _a = (a), _b = (b);					\
	u32 _f = (fl);							\
	asm volatile("pushl %1; popfl;" insn "; pushfl; popl %1"	\
		     : "+" constraint(_a), "+r"(_f)			\
		     : constraint(_b) : "cc");				\
	(out)->r = _a;							\
	(out)->r2 = 0;							\
	(out)->flags = _f;						\
} while (0)

#define BY_WIDTH(op, w, a, b, fl, out) do {				\
	if ((w) == 8)							\
		RUN(op "b %2, %0", "q", u8, a, b, fl, out);		\
	else if ((w) == 16)						\
		RUN(op "w %2, %0", "r", u16, a, b, fl, out);		\
	else								\
		RUN(op "l %2, %0", "r", u32, a, b, fl, out);		\
} while (0)

static void model_add(u32 a, u32 b, u32 c, u32 w, struct outcome *o)
{
	u32 m = width_mask(w);
	u64 sum;

	a &= m;
	b &= m;
	sum = (u64)a + b + c;
	o->r = sum & m;
	o->r2 = 0;
	o->flags = szp(o->r, w) | (sum > m ? CF : 0) |
		((a ^ b ^ o->r) & 0x10) |
		(((a ^ o->r) & (b ^ o->r)) >> (w - 1) ? OF : 0);
}

static void model_sub(u32 a, u32 b, u32 c, u32 w, struct outcome *o)
{
	u32 m = width_mask(w);

	a &= m;
	b &= m;
	o->r = (a - b - c) & m;
	o->r2 = 0;
	o->flags = szp(o->r, w) | ((u64)a < (u64)b + c ? CF : 0) |
		((a ^ b ^ o->r) & 0x10) |
		(((a ^ b) & (a ^ o->r)) >> (w - 1) ? OF : 0);
}

static void model_logic(u32 r, u32 w, struct outcome *o)
{
	o->r = r & width_mask(w);
	o->r2 = 0;
	o->flags = szp(r, w);
}

#define BINARY(op, mask, model) do {					\
	u32 w, i, j, k;							\
	begin(op);							\
	for (w = 8; w <= 32; w *= 2)					\
		for (i = 0; i < N; i++)					\
			for (j = 0; j < N; j++)				\
				for (k = 0; k < 2; k++) {		\
					u32 a = values[i], b = values[j]; \
					struct outcome got, want;	\
					BY_WIDTH(op, w, a, b,		\
						 2 | (k ? CF : 0), &got); \
					model;				\
					compare(a, b, k, &got, &want,	\
						mask);			\
				}					\
	end();								\
} while (0)

static void check_binary(void)
{
	u32 m;

	BINARY("add", ALL, model_add(a, b, 0, w, &want));
	BINARY("adc", ALL, model_add(a, b, k, w, &want));
	BINARY("sub", ALL, model_sub(a, b, 0, w, &want));
	BINARY("sbb", ALL, model_sub(a, b, k, w, &want));
	BINARY("cmp", ALL, (model_sub(a, b, 0, w, &want),
			    want.r = a & width_mask(w)));
	BINARY("and", ALL & ~AF, model_logic(a & b, w, &want));
	BINARY("or", ALL & ~AF, model_logic(a | b, w, &want));
	BINARY("xor", ALL & ~AF, model_logic(a ^ b, w, &want));
	BINARY("test", ALL & ~AF, (model_logic(a & b, w, &want),
				   want.r = a & width_mask(w)));
	BINARY("mov", ALL, (m = width_mask(w), want.r = b & m, want.r2 = 0,
			    want.flags = k ? CF : 0));
}

/* ---- one operand ---- */

#define UNARY(op, mask, model) do {					\
	u32 w, i, k;							\
	begin(op);							\
	for (w = 8; w <= 32; w *= 2)					\
		for (i = 0; i < N; i++)					\
			for (k = 0; k < 2; k++) {			\
				u32 a = values[i];			\
				struct outcome got, want;		\
				u32 f = 2 | (k ? CF : 0);		\
				if (w == 8)				\
					RUN(op "b %0", "q", u8, a, 0, f, &got);	\
				else if (w == 16)			\
					RUN(op "w %0", "r", u16, a, 0, f, &got); \
				else					\
					RUN(op "l %0", "r", u32, a, 0, f, &got); \
				model;					\
				compare(a, 0, k, &got, &want, mask);	\
			}						\
	end();								\
} while (0)

static void check_unary(void)
{
	/* inc and dec leave CF alone. */
	UNARY("inc", ALL, (model_add(a, 1, 0, w, &want),
			   want.flags = (want.flags & ~CF) | (k ? CF : 0)));
	UNARY("dec", ALL, (model_sub(a, 1, 0, w, &want),
			   want.flags = (want.flags & ~CF) | (k ? CF : 0)));
	UNARY("neg", ALL, model_sub(0, a, 0, w, &want));
	UNARY("not", ALL, (want.r = ~a & width_mask(w), want.r2 = 0,
			   want.flags = k ? CF : 0));
}

/* ---- shifts and rotates, bit by bit ---- */

enum shift { SHL, SHR, SAR, ROL, ROR, RCL, RCR };

static u32 model_shift(enum shift op, u32 a, u32 count, u32 w, u32 flags,
		       struct outcome *o)
{
	u32 m = width_mask(w), top = w - 1, before, mask = ALL & ~AF;
	u32 cf = flags & CF;
	bool rotate = op >= ROL;

	a &= m;
	count &= 31;
	before = a;
	o->r2 = 0;
	o->r = a;
	o->flags = flags & ALL;
	if (!count)
		return ALL;
	/* The rotates through carry take the count modulo w + 1; doing it
	 * step by step gives the same. */
	{
		u32 n = count;

		while (n--) {
			u32 hi = a >> top & 1, lo = a & 1;

			switch (op) {
			case SHL: a = a << 1 & m; cf = hi; break;
			case SHR: a >>= 1; cf = lo; break;
			case SAR: a = a >> 1 | hi << top; cf = lo; break;
			case ROL: a = (a << 1 | hi) & m; cf = hi; break;
			case ROR: a = a >> 1 | lo << top; cf = lo; break;
			case RCL: a = (a << 1 | cf) & m; cf = hi; break;
			case RCR: a = a >> 1 | cf << top; cf = lo; break;
			}
		}
	}
	o->r = a;
	if (rotate)
		o->flags = (flags & (ALL & ~(CF | OF))) | (cf ? CF : 0);
	else
		o->flags = szp(a, w) | (cf ? CF : 0);
	if (rotate)
		mask = ALL;
	/* CF of a shift by more than the width is undefined for shl, shr. */
	if ((op == SHL || op == SHR) && count > w)
		mask &= ~CF;
	/* A rotate by a multiple of the width sets CF from the result. */
	if (count == 1) {
		u32 msb = a >> top & 1, next = a >> (top - 1) & 1;
		u32 of = 0;

		switch (op) {
		case SHL: case ROL: case RCL: of = msb ^ (cf & 1); break;
		case SHR: of = before >> top; break;
		case SAR: of = 0; break;
		case ROR: case RCR: of = msb ^ next; break;
		}
		o->flags |= of ? OF : 0;
	} else {
		mask &= ~OF;
	}
	return mask;
}

#define SHIFT_RUN(op, w, a, count, f, out) do {				\
	u8 _c = (count);						\
	u32 _f = (f);							\
	if ((w) == 8) {							\
		u8 _a = (a);						\
		asm volatile("pushl %1; popfl;" op "b %%cl, %0; pushfl;" \
			     "popl %1" : "+q"(_a), "+r"(_f)		\
			     : "c"(_c) : "cc");				\
		(out)->r = _a;						\
	} else if ((w) == 16) {						\
		u16 _a = (a);						\
		asm volatile("pushl %1; popfl;" op "w %%cl, %0; pushfl;" \
			     "popl %1" : "+r"(_a), "+r"(_f)		\
			     : "c"(_c) : "cc");				\
		(out)->r = _a;						\
	} else {							\
		u32 _a = (a);						\
		asm volatile("pushl %1; popfl;" op "l %%cl, %0; pushfl;" \
			     "popl %1" : "+r"(_a), "+r"(_f)		\
			     : "c"(_c) : "cc");				\
		(out)->r = _a;						\
	}								\
	(out)->r2 = 0;							\
	(out)->flags = _f;						\
} while (0)

#define SHIFT(op, code) do {						\
	u32 w, i, c, k;							\
	begin(op);							\
	for (w = 8; w <= 32; w *= 2)					\
		for (i = 0; i < N; i++)					\
			for (c = 0; c < 40; c++)			\
				for (k = 0; k < 2; k++) {		\
					struct outcome got, want;	\
					u32 mask, f = 2 | (k ? CF | ZF : OF); \
					SHIFT_RUN(op, w, values[i], c, f, &got); \
					mask = model_shift(code, values[i], c, \
							   w, f, &want);	\
					compare(values[i], c, k, &got, &want, \
						mask);			\
				}					\
	end();								\
} while (0)

static void check_shifts(void)
{
	SHIFT("shl", SHL);
	SHIFT("shr", SHR);
	SHIFT("sar", SAR);
	SHIFT("rol", ROL);
	SHIFT("ror", ROR);
	SHIFT("rcl", RCL);
	SHIFT("rcr", RCR);
}

static void check_double_shifts(void)
{
	u32 i, j, c;
	struct outcome got, want;

	begin("shld");
	for (i = 0; i < N; i++)
		for (j = 0; j < N; j++)
			for (c = 0; c < 34; c++) {
				u32 a = values[i], b = values[j], n = c & 31;
				u32 f = 2;

				asm volatile("pushl %1; popfl;"
					     "shldl %%cl, %2, %0;"
					     "pushfl; popl %1"
					     : "+r"(a), "+r"(f)
					     : "r"(b), "c"(c) : "cc");
				got = (struct outcome){ a, 0, f };
				a = values[i];
				want.r = n ? a << n | b >> (32 - n) : a;
				want.r2 = 0;
				want.flags = n ? szp(want.r, 32) |
					(a >> (32 - n) & 1 ? CF : 0) : 0;
				compare(a, b, c, &got, &want,
					ALL & ~(AF | OF));
			}
	end();
	begin("shrd");
	for (i = 0; i < N; i++)
		for (j = 0; j < N; j++)
			for (c = 0; c < 34; c++) {
				u32 a = values[i], b = values[j], n = c & 31;
				u32 f = 2;

				asm volatile("pushl %1; popfl;"
					     "shrdl %%cl, %2, %0;"
					     "pushfl; popl %1"
					     : "+r"(a), "+r"(f)
					     : "r"(b), "c"(c) : "cc");
				got = (struct outcome){ a, 0, f };
				a = values[i];
				want.r = n ? a >> n | b << (32 - n) : a;
				want.r2 = 0;
				want.flags = n ? szp(want.r, 32) |
					(a >> (n - 1) & 1 ? CF : 0) : 0;
				compare(a, b, c, &got, &want,
					ALL & ~(AF | OF));
			}
	end();
}

/* ---- multiplication and division ---- */

static void check_mul(void)
{
	u32 i, j;

	begin("mul");
	for (i = 0; i < N; i++)
		for (j = 0; j < N; j++) {
			u64 p = (u64)values[i] * values[j];
			struct outcome got, want;
			u32 f, lo, hi;
			u16 ax, dx;

			asm volatile("mull %4; pushfl; popl %2"
				     : "=a"(lo), "=&d"(hi), "=r"(f)
				     : "0"(values[i]), "r"(values[j]) : "cc");
			got = (struct outcome){ lo, hi, f };
			want = (struct outcome){ p, p >> 32,
				p >> 32 ? CF | OF : 0 };
			compare(values[i], values[j], 32, &got, &want,
				CF | OF);
			asm volatile("mulw %4; pushfl; popl %2"
				     : "=a"(ax), "=&d"(dx), "=r"(f)
				     : "0"((u16)values[i]),
				       "r"((u16)values[j]) : "cc");
			p = (u32)(u16)values[i] * (u16)values[j];
			got = (struct outcome){ ax, dx, f };
			want = (struct outcome){ p & 0xFFFF, p >> 16,
				p >> 16 ? CF | OF : 0 };
			compare(values[i], values[j], 16, &got, &want,
				CF | OF);
			asm volatile("mulb %3; pushfl; popl %1"
				     : "=a"(ax), "=r"(f)
				     : "0"((u8)values[i]), "q"((u8)values[j])
				     : "cc");
			p = (u32)(u8)values[i] * (u8)values[j];
			got = (struct outcome){ ax, 0, f };
			want = (struct outcome){ p, 0, p >> 8 ? CF | OF : 0 };
			compare(values[i], values[j], 8, &got, &want, CF | OF);
		}
	end();
	begin("imul");
	for (i = 0; i < N; i++)
		for (j = 0; j < N; j++) {
			s64 p = (s64)(s32)values[i] * (s32)values[j];
			struct outcome got, want;
			u32 f, lo, hi;

			asm volatile("imull %4; pushfl; popl %2"
				     : "=a"(lo), "=&d"(hi), "=r"(f)
				     : "0"(values[i]), "r"(values[j]) : "cc");
			got = (struct outcome){ lo, hi, f };
			want = (struct outcome){ p, p >> 32,
				p != (s32)p ? CF | OF : 0 };
			compare(values[i], values[j], 1, &got, &want, CF | OF);
			lo = values[i];
			asm volatile("imull %2, %0; pushfl; popl %1"
				     : "+r"(lo), "=r"(f)
				     : "r"(values[j]) : "cc");
			got = (struct outcome){ lo, 0, f };
			want.r2 = 0;
			compare(values[i], values[j], 2, &got, &want, CF | OF);
			asm volatile("imull $-3, %2, %0; pushfl; popl %1"
				     : "=r"(lo), "=r"(f)
				     : "r"(values[j]) : "cc");
			p = (s64)(s32)values[j] * -3;
			got = (struct outcome){ lo, 0, f };
			want = (struct outcome){ p, 0,
				p != (s32)p ? CF | OF : 0 };
			compare(values[j], -3, 3, &got, &want, CF | OF);
		}
	end();
}

/* Check a division by multiplying back. */
static void check_div(void)
{
	u32 i, j, k;

	begin("div");
	for (i = 0; i < N; i++)
		for (j = 1; j < N; j++)
			for (k = 0; k < N; k++) {
				u32 lo = values[i], d = values[j];
				u32 hi = values[k] % d, q, r;
				struct outcome got, want = { 0, 0, 0 };
				u64 n = (u64)hi << 32 | lo;

				asm volatile("divl %4" : "=a"(q), "=d"(r)
					     : "0"(lo), "1"(hi), "r"(d)
					     : "cc");
				got.r = (u64)q * d + r != n;
				got.r2 = r >= d;
				got.flags = 0;
				compare(hi, lo, d, &got, &want, 0);
			}
	end();
	begin("idiv");
	for (i = 0; i < N; i++)
		for (j = 1; j < N; j++) {
			s32 n = values[i], d = values[j], q, r;
			struct outcome got, want = { 0, 0, 0 };

			if (values[i] == 0x80000000 && d == -1)
				continue;
			asm volatile("cltd; idivl %3" : "=a"(q), "=&d"(r)
				     : "0"(n), "r"(d) : "cc");
			got.r = q * d + r != n;
			got.r2 = r && ((r < 0) != (n < 0) ||
				(r < 0 ? 0U - r : (u32)r) >=
				(d < 0 ? 0U - d : (u32)d));
			got.flags = 0;
			compare(n, d, 0, &got, &want, 0);
		}
	end();
}

/* ---- decimal adjustment, as the manual's pseudo-code has it ---- */

static void check_bcd(void)
{
	u32 v, fl;
	struct outcome got, want;
#define BCD(op, mask, body) do {					\
	begin(op);							\
	for (v = 0; v < 0x10000; v += v < 0x200 ? 1 : 0x1FF)		\
		for (fl = 0; fl < 4; fl++) {				\
			u32 cf = fl & 1, af = fl >> 1, f, ax = v;	\
			u32 al = v & 0xFF, ah = v >> 8, nc = 0, na = 0;	\
			f = 2 | (cf ? CF : 0) | (af ? AF : 0);		\
			asm volatile("pushl %1; popfl;" op ";pushfl; popl %1" \
				     : "+a"(ax), "+r"(f) : : "cc");	\
			got = (struct outcome){ ax, 0, f };		\
			body;						\
			al &= 0xFF;					\
			ah &= 0xFF;					\
			want = (struct outcome){ ah << 8 | al, 0,	\
				szp(al, 8) | (nc ? CF : 0) | (na ? AF : 0) }; \
			compare(v, fl, 0, &got, &want, mask);		\
		}							\
	end();								\
} while (0)
	BCD("daa", ALL & ~OF, {
		u32 old = al;

		if ((al & 15) > 9 || af) {
			al += 6;
			na = 1;
		}
		if (old > 0x99 || cf) {
			al += 0x60;
			nc = 1;
		}
	});
	BCD("das", ALL & ~OF, {
		u32 old = al;

		if ((al & 15) > 9 || af) {
			nc = cf || al < 6;
			al -= 6;
			na = 1;
		}
		if (old > 0x99 || cf) {
			al -= 0x60;
			nc = 1;
		}
	});
	BCD("aaa", CF | AF, {
		if ((al & 15) > 9 || af) {
			u32 x = (ah << 8 | al) + 0x106;

			al = x & 0xFF;
			ah = x >> 8;
			na = nc = 1;
		}
		al &= 15;
	});
	BCD("aas", CF | AF, {
		if ((al & 15) > 9 || af) {
			u32 x = (ah << 8 | al) - 0x106;

			al = x & 0xFF;
			ah = x >> 8;
			na = nc = 1;
		}
		al &= 15;
	});
	BCD("aam", SF | ZF | PF, { ah = al / 10; al = al % 10; });
	BCD("aad", SF | ZF | PF, { al = al + ah * 10; ah = 0; });
}

/* ---- bits ---- */

static void check_bits(void)
{
	u32 i, j;
	struct outcome got, want;
	static u32 array[16];
#define BIT(op, expr) do {						\
	begin(op);							\
	for (i = 0; i < N; i++)						\
		for (j = 0; j < 40; j++) {				\
			u32 a = values[i], f, n = j & 31;		\
			asm volatile(op "l %2, %0; pushfl; popl %1"	\
				     : "+r"(a), "=r"(f) : "r"(j) : "cc"); \
			got = (struct outcome){ a, 0, f };		\
			a = values[i];					\
			want = (struct outcome){ expr, 0,		\
				a >> n & 1 ? CF : 0 };			\
			compare(a, j, 0, &got, &want, CF);		\
		}							\
	end();								\
} while (0)
	BIT("bt", a);
	BIT("bts", a | 1U << n);
	BIT("btr", a & ~(1U << n));
	BIT("btc", a ^ 1U << n);
	begin("bts in memory, signed offsets");
	for (i = 0; i < 512; i++) {
		s32 off = (s32)i - 256;
		u32 f;

		memset(array, 0, sizeof(array));
		asm volatile("btsl %2, %0; pushfl; popl %1"
			     : "+m"(array[8]), "=r"(f) : "r"(off)
			     : "cc", "memory");
		got = (struct outcome){ array[i / 32], 0, f };
		want = (struct outcome){ 1U << i % 32, 0, 0 };
		compare(off, 0, 0, &got, &want, CF);
	}
	end();
	begin("bsf, bsr");
	for (i = 0; i < N; i++) {
		u32 a = values[i], lo = 0, hi = 0, f;

		asm volatile("bsfl %2, %0; pushfl; popl %1"
			     : "+r"(lo), "=r"(f) : "r"(a) : "cc");
		asm volatile("bsrl %1, %0" : "+r"(hi) : "r"(a) : "cc");
		got = (struct outcome){ a ? lo : 0, a ? hi : 0, f };
		want = (struct outcome){ a ? __builtin_ctz(a) : 0,
			a ? 31 - __builtin_clz(a) : 0, a ? 0 : ZF };
		compare(a, 0, 0, &got, &want, ZF);
	}
	end();
}

/* ---- exchange ---- */

static void check_exchange(void)
{
	u32 i, j, k;
	struct outcome got, want;

	begin("cmpxchg");
	for (i = 0; i < N; i++)
		for (j = 0; j < N; j++) {
			u32 mem = values[i], eax = values[j], f;

			asm volatile("lock cmpxchgl %3, %0; pushfl; popl %1"
				     : "+m"(mem), "=r"(f), "+a"(eax)
				     : "r"(0xC0FFEE) : "cc");
			got = (struct outcome){ mem, eax, f };
			model_sub(values[j], values[i], 0, 32, &want);
			if (values[i] == values[j]) {
				want.r = 0xC0FFEE;
				want.r2 = values[j];
			} else {
				want.r = want.r2 = values[i];
			}
			compare(values[i], values[j], 0, &got, &want, ALL);
		}
	end();
	begin("cmpxchgb and w");
	for (i = 0; i < N; i++) {
		u8 m8 = values[i];
		u16 m16 = values[i];
		u32 eax = 0xAABBCC80;

		asm volatile("cmpxchgb %b2, %0" : "+m"(m8), "+a"(eax)
			     : "q"(0x11) : "cc");
		got.r = m8;
		got.r2 = eax;
		got.flags = 0;
		want.flags = 0;
		want.r = (u8)values[i] == 0x80 ? 0x11 : (u8)values[i];
		want.r2 = 0xAABBCC00 | (u8)values[i];
		compare(values[i], 8, 0, &got, &want, 0);
		eax = 0xAABB8000;
		asm volatile("cmpxchgw %w2, %0" : "+m"(m16), "+a"(eax)
			     : "r"(0x1111) : "cc");
		got.r = m16;
		got.r2 = eax;
		want.r = (u16)values[i] == 0x8000 ? 0x1111 : (u16)values[i];
		want.r2 = 0xAABB0000 | (u16)values[i];
		compare(values[i], 16, 0, &got, &want, 0);
	}
	end();
	begin("cmpxchg8b");
	for (i = 0; i < N; i++)
		for (j = 0; j < N; j++)
			for (k = 0; k < 2; k++) {
				u64 mem = (u64)values[i] << 32 | values[j];
				u32 eax = values[j], edx = values[i] + k, f;
				u64 old = mem;

				asm volatile("lock cmpxchg8b %0; pushfl;"
					     "popl %1"
					     : "+m"(mem), "=S"(f), "+a"(eax),
					       "+d"(edx)
					     : "b"(0x11111111),
					       "c"(0x22222222) : "cc");
				got = (struct outcome){ mem, mem >> 32, f };
				if (k)
					want = (struct outcome){ old,
						old >> 32, 0 };
				else
					want = (struct outcome){ 0x11111111,
						0x22222222, ZF };
				compare(values[i], values[j], k, &got, &want,
					ZF);
				got.r = eax;
				got.r2 = edx;
				want.r = old;
				want.r2 = old >> 32;
				compare(values[i], values[j], k + 2, &got,
					&want, ZF);
			}
	end();
	begin("xadd");
	for (i = 0; i < N; i++)
		for (j = 0; j < N; j++) {
			u32 mem = values[i], reg = values[j], f;

			asm volatile("lock xaddl %1, %0; pushfl; popl %2"
				     : "+m"(mem), "+r"(reg), "=r"(f)
				     : : "cc");
			got = (struct outcome){ mem, reg, f };
			model_add(values[i], values[j], 0, 32, &want);
			want.r2 = values[i];
			compare(values[i], values[j], 0, &got, &want, ALL);
		}
	end();
	begin("xchg, bswap, sign and zero extension");
	for (i = 0; i < N; i++) {
		u32 a = values[i], mem = ~a, b;

		asm volatile("xchgl %0, %1" : "+r"(a), "+m"(mem));
		got = (struct outcome){ a, mem, 0 };
		want = (struct outcome){ ~values[i], values[i], 0 };
		compare(values[i], 0, 0, &got, &want, 0);
		a = values[i];
		asm volatile("bswapl %0" : "+r"(a));
		b = values[i];
		got = (struct outcome){ a, 0, 0 };
		want = (struct outcome){ b << 24 | (b & 0xFF00) << 8 |
			(b >> 8 & 0xFF00) | b >> 24, 0, 0 };
		compare(values[i], 1, 0, &got, &want, 0);
		asm volatile("movsbl %b2, %0; movzwl %w2, %1"
			     : "=&r"(a), "=r"(b) : "q"(values[i]));
		got = (struct outcome){ a, b, 0 };
		want = (struct outcome){ (s32)(s8)values[i],
			values[i] & 0xFFFF, 0 };
		compare(values[i], 2, 0, &got, &want, 0);
		asm volatile("cbtw; cwtl" : "=a"(a) : "0"(values[i]));
		asm volatile("cwtd" : "=d"(b) : "a"(values[i]), "0"(0));
		got = (struct outcome){ a, b, 0 };
		want = (struct outcome){ (s32)(s8)values[i],
			values[i] & 0x8000 ? 0xFFFF : 0, 0 };
		compare(values[i], 3, 0, &got, &want, 0);
	}
	end();
}

/* ---- conditions ---- */

static void check_conditions(void)
{
	u32 bits, i;
	struct outcome got, want;
	static const u32 flag[] = { CF, PF, AF, ZF, SF, OF };

	begin("conditions: setcc, jcc, cmovcc");
	for (bits = 0; bits < 64; bits++) {
		u32 f = 2, cc = 0, jcc = 0, cm = 0, cf, zf, sf, of, pf;

		for (i = 0; i < 6; i++)
			if (bits >> i & 1)
				f |= flag[i];
		cf = !!(f & CF);
		pf = !!(f & PF);
		zf = !!(f & ZF);
		sf = !!(f & SF);
		of = !!(f & OF);
#define CC(n, c, truth) do {						\
		u32 _s = 0, _j = 0, _m = 0, _t = 1;			\
		asm volatile("pushl %4; popfl; set" c " %b0; j" c " 1f;" \
			     "jmp 2f; 1: movl $1, %1; 2:"		\
			     "cmov" c "l %3, %2"			\
			     : "+q"(_s), "+r"(_j), "+r"(_m)		\
			     : "r"(_t), "r"(f) : "cc");			\
		cc |= _s << n;						\
		jcc |= _j << n;						\
		cm |= _m << n;						\
		want.r |= (u32)!!(truth) << n;				\
} while (0)
		want = (struct outcome){ 0, 0, 0 };
		CC(0, "o", of);
		CC(1, "no", !of);
		CC(2, "b", cf);
		CC(3, "ae", !cf);
		CC(4, "e", zf);
		CC(5, "ne", !zf);
		CC(6, "be", cf || zf);
		CC(7, "a", !cf && !zf);
		CC(8, "s", sf);
		CC(9, "ns", !sf);
		CC(10, "p", pf);
		CC(11, "np", !pf);
		CC(12, "l", sf != of);
		CC(13, "ge", sf == of);
		CC(14, "le", zf || sf != of);
		CC(15, "g", !zf && sf == of);
		want.r2 = want.r;
		got = (struct outcome){ cc, jcc, 0 };
		compare(f, 0, 0, &got, &want, 0);
		got = (struct outcome){ cm, jcc, 0 };
		compare(f, 1, 0, &got, &want, 0);
	}
	end();
	begin("loop, loope, loopne, jecxz");
	{
		u32 n = 0, m = 0;

		asm volatile("movl $10, %%ecx; xorl %0, %0; 1: incl %0;"
			     "loop 1b; jecxz 2f; movl $0, %0; 2:"
			     "movl $10, %%ecx; xorl %1, %1; 3: incl %1;"
			     "cmpl $4, %1; loopne 3b"
			     : "=&r"(n), "=&r"(m) : : "ecx", "cc");
		got = (struct outcome){ n, m, 0 };
		want = (struct outcome){ 10, 4, 0 };
		compare(0, 0, 0, &got, &want, 0);
		asm volatile("movl $0x10000, %%ecx; xorl %0, %0; jecxz 1f;"
			     "incl %0; 1: .byte 0x67; jecxz 2f; addl $10, %0;"
			     "2:" : "=&r"(n) : : "ecx", "cc");
		got = (struct outcome){ n, 0, 0 };
		want = (struct outcome){ 1, 0, 0 };
		compare(1, 0, 0, &got, &want, 0);
	}
	end();
}

/* ---- strings ---- */

static u8 src[256], dst[256], model[256];

static void check_strings(void)
{
	u32 n, width, i;
	struct outcome got, want;

	for (i = 0; i < 256; i++)
		src[i] = i * 7 + 1;
	begin("rep movs, forwards");
	for (n = 0; n < 40; n++)
		for (width = 1; width <= 4; width *= 2) {
			u32 c = n, si = (u32)src + 3, di = (u32)dst + 5;

			memset(dst, 0, 256);
			memset(model, 0, 256);
			memcpy(model + 5, src + 3, n * width);
			if (width == 1)
				asm volatile("rep movsb" : "+c"(c), "+S"(si),
					     "+D"(di) : : "memory");
			else if (width == 2)
				asm volatile("rep movsw" : "+c"(c), "+S"(si),
					     "+D"(di) : : "memory");
			else
				asm volatile("rep movsl" : "+c"(c), "+S"(si),
					     "+D"(di) : : "memory");
			got = (struct outcome){ si - (u32)src, di - (u32)dst,
				memcmp(dst, model, 256) | c };
			want = (struct outcome){ 3 + n * width,
				5 + n * width, 0 };
			compare(n, width, 0, &got, &want, ~0U);
		}
	end();
	begin("rep movs, backwards and overlapping");
	for (n = 1; n < 40; n++) {
		u32 c = n, si = (u32)dst + 100, di = (u32)dst + 103;

		memcpy(dst, src, 256);
		memcpy(model, src, 256);
		for (i = 0; i < n; i++)
			model[103 - i] = model[100 - i];
		asm volatile("std; rep movsb; cld" : "+c"(c), "+S"(si),
			     "+D"(di) : : "memory");
		got = (struct outcome){ si - (u32)dst, di - (u32)dst,
			memcmp(dst, model, 256) };
		want = (struct outcome){ 100 - n, 103 - n, 0 };
		compare(n, 0, 0, &got, &want, ~0U);
		/* Forwards over itself: a pattern spreads. */
		memcpy(dst, src, 256);
		memcpy(model, src, 256);
		for (i = 0; i < n; i++)
			model[13 + i] = model[10 + i];
		c = n;
		si = (u32)dst + 10;
		di = (u32)dst + 13;
		asm volatile("rep movsb" : "+c"(c), "+S"(si), "+D"(di)
			     : : "memory");
		got = (struct outcome){ 0, 0, memcmp(dst, model, 256) };
		want = (struct outcome){ 0, 0, 0 };
		compare(n, 1, 0, &got, &want, ~0U);
	}
	end();
	begin("rep stos");
	for (n = 0; n < 40; n++) {
		u32 c = n, di = (u32)dst + 1;

		memset(dst, 0, 256);
		memset(model, 0, 256);
		for (i = 0; i < n; i++)
			memcpy(model + 1 + i * 4, "\x44\x33\x22\x11", 4);
		asm volatile("rep stosl" : "+c"(c), "+D"(di)
			     : "a"(0x11223344) : "memory");
		got = (struct outcome){ di - (u32)dst, c,
			memcmp(dst, model, 256) };
		want = (struct outcome){ 1 + n * 4, 0, 0 };
		compare(n, 0, 0, &got, &want, ~0U);
	}
	end();
	begin("repne scasb, repe cmpsb, lods");
	for (n = 0; n < 40; n++) {
		u32 c = 60, di = (u32)dst, si = (u32)src, f, eax = 0;

		memset(dst, 1, 256);
		dst[n] = 0;
		asm volatile("repne scasb; pushfl; popl %2"
			     : "+c"(c), "+D"(di), "=r"(f) : "a"(0) : "cc");
		got = (struct outcome){ c, di - (u32)dst, f };
		want = (struct outcome){ 59 - n, n + 1, ZF | PF };
		compare(n, 0, 0, &got, &want, ALL);
		memcpy(dst, src, 256);
		dst[n] ^= 0x80;
		c = 60;
		di = (u32)dst;
		asm volatile("repe cmpsb; pushfl; popl %3"
			     : "+c"(c), "+D"(di), "+S"(si), "=r"(f)
			     : : "cc");
		got = (struct outcome){ c, di - (u32)dst, f };
		model_sub(src[n], dst[n], 0, 8, &want);
		want.r = 59 - n;
		want.r2 = n + 1;
		compare(n, 1, 0, &got, &want, ALL);
		si = (u32)src + n;
		asm volatile("lodsw" : "+a"(eax), "+S"(si));
		got = (struct outcome){ eax, si - (u32)src, 0 };
		want = (struct outcome){ src[n] | src[n + 1] << 8, n + 2, 0 };
		compare(n, 2, 0, &got, &want, 0);
	}
	/* With a count of zero nothing is compared: flags stay. */
	{
		u32 c = 0, f;

		asm volatile("xorl %%eax, %%eax; repe cmpsb; pushfl; popl %1"
			     : "+c"(c), "=r"(f) : "S"(src), "D"(dst)
			     : "eax", "cc");
		got = (struct outcome){ c, 0, f };
		want = (struct outcome){ 0, 0, ZF | PF };
		compare(0, 3, 0, &got, &want, ALL & ~AF);
	}
	end();
}

/* ---- stack, addressing, odds and ends ---- */

static void check_stack(void)
{
	u32 a, b, c, esp, after;
	struct outcome got, want;

	begin("stack instructions");
	asm volatile("movl %%esp, %0; pushl %%esp; popl %1" : "=&r"(a),
		     "=&r"(b));
	got = (struct outcome){ b, 0, 0 };
	want = (struct outcome){ a, 0, 0 };
	compare(1, 0, 0, &got, &want, 0);
	asm volatile("movl %%esp, %2; pushl $0x1111; pushl (%%esp);"
		     "addl $1, (%%esp); popl 4(%%esp); popl %0; popl %1;"
		     "movl %2, %%esp" : "=&r"(a), "=&r"(b), "=&r"(c));
	/* popl 4(%esp) counts from the new %esp. */
	got = (struct outcome){ a, b, 0 };
	want = (struct outcome){ 0x1111, 0x1112, 0 };
	compare(2, 0, 0, &got, &want, 0);
	asm volatile("movl %%esp, %0; pushw $0x1234; movl %%esp, %1;"
		     "popw %%ax; movzwl %%ax, %2" : "=&r"(a), "=&r"(b),
		     "=&r"(c) : : "eax");
	got = (struct outcome){ a - b, c, 0 };
	want = (struct outcome){ 2, 0x1234, 0 };
	compare(3, 0, 0, &got, &want, 0);
	asm volatile("movl %%esp, %0; pushl %%ebp; movl $0x4444, %%ebp;"
		     "enter $12, $0; movl %%ebp, %%ecx; subl %%esp, %%ecx;"
		     "leave; movl %%ebp, %%edx; popl %%ebp; movl %%esp, %1"
		     : "=&S"(esp), "=&D"(after), "=c"(a), "=d"(b));
	got = (struct outcome){ a, b, esp - after };
	want = (struct outcome){ 12, 0x4444, 0 };
	compare(4, 0, 0, &got, &want, ~0U);
	asm volatile("movl $1, %%eax; movl $2, %%ecx; movl $3, %%edx;"
		     "pusha; movl 20(%%esp), %%ecx; addl $10, 24(%%esp);"
		     "movl %%ecx, 28(%%esp); popa"
		     : "=a"(a), "=c"(b), "=d"(c));
	got = (struct outcome){ a, b, c };
	want = (struct outcome){ 3, 12, 3 };
	compare(5, 0, 0, &got, &want, ~0U);
	asm volatile("pushl $0x246ed7 & 0xCD5; popfl; lahf; pushfl;"
		     "popl %%ecx; cld" : "=a"(a), "=c"(b) : : "cc");
	got = (struct outcome){ a >> 8 & 0xFF, b & 0xCD5, 0 };
	want = (struct outcome){ 0xD7, 0xCD5 & 0x246ed7, 0 };
	compare(6, 0, 0, &got, &want, 0);
	end();

	begin("addressing");
	{
		static u32 table[8] = { 10, 11, 12, 13, 14, 15, 16, 17 };

		asm volatile("movl (%1,%2,4), %0" : "=r"(a)
			     : "r"(table), "r"(3));
		asm volatile("movl 4(%1,%2,2), %0" : "=r"(b)
			     : "r"(table), "r"(6));
		asm volatile("movl %c1(,%2,8), %0" : "=r"(c)
			     : "i"(table), "r"(3));
		got = (struct outcome){ a, b, c };
		want = (struct outcome){ 13, 14, 16 };
		compare(0, 0, 0, &got, &want, ~0U);
		/* Wraps around 4 GiB. */
		asm volatile("movl -16(%1,%2,4), %0" : "=r"(a)
			     : "r"((u32)table + 0x40000000), "r"(0x30000004 + 3));
		asm volatile("leal 5(%1,%1,8), %0" : "=r"(b) : "r"(7));
		asm volatile("leaw 0x7FFF(%1), %w0" : "=r"(c) : "r"(0x18001),
			     "0"(0xAAAA0000));
		got = (struct outcome){ a, b, c };
		want = (struct outcome){ 13, 68, 0xAAAA0000 };
		compare(1, 0, 0, &got, &want, ~0U);
		/* 16-bit addressing, which gcc never makes. */
		asm volatile("addr16 leal 0x10(%%bx,%%si), %0" : "=r"(a)
			     : "b"(0x1FFF0), "S"(0x20008));
		got = (struct outcome){ a, 0, 0 };
		want = (struct outcome){ 8, 0, 0 };
		compare(2, 0, 0, &got, &want, 0);
		asm volatile("movl %1, %%ebx; xlatb" : "=a"(a)
			     : "i"(src), "0"(0x12345603) : "ebx");
		got = (struct outcome){ a, 0, 0 };
		want = (struct outcome){ 0x12345600 | src[3], 0, 0 };
		compare(3, 0, 0, &got, &want, 0);
	}
	end();

	begin("high byte registers");
	asm volatile("movl $0x11223344, %%eax; movl $0x55667788, %%ecx;"
		     "addb %%ch, %%ah; movb %%al, %%ch; xchgb %%ah, %%al"
		     : "=a"(a), "=c"(b) : : "cc");
	got = (struct outcome){ a, b, 0 };
	want = (struct outcome){ 0x112244AA, 0x55664488, 0 };
	compare(0, 0, 0, &got, &want, 0);
	end();
}

void guest_main(void)
{
	check_binary();
	check_unary();
	check_shifts();
	check_double_shifts();
	check_mul();
	check_div();
	check_bcd();
	check_bits();
	check_exchange();
	check_conditions();
	check_strings();
	check_stack();
	check_finish();
}
