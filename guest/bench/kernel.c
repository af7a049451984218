/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel-side workloads, and the kernel for them. */
#include "bench.h"
#include "kernel.h"
#include "lguest.h"
#include "string.h"

#define phys(v)		((u32)(v) - PAGE_OFFSET)
#define virt(p)		((void *)((u32)(p) + PAGE_OFFSET))
#define USER_PTE	(PTE_P | PTE_U | PTE_A)
#define NR_FRAMES	640

extern const u8 entry_system_call[], entry_page_fault[], first_return[];
extern const u8 snippets_start[];
extern const u8 user_getppid[], user_yield[], user_touch[], user_fork_child[];
void switch_stacks(u32 *save, u32 esp);

static u8 pool[NR_FRAMES][PAGE_SIZE] page_aligned;
static u32 *free_frames[NR_FRAMES], nr_free;
/* As struct page's count: how many page tables name the frame. */
static u8 users[NR_FRAMES];

static u32 directories[2][1024] page_aligned;
static u32 tables[2][1024] page_aligned;
static u8 stacks[2][STACK_BYTES] page_aligned;
static struct task tasks[2], boot_task;
static struct task *current = &boot_task, *partner;
static u32 exit_status;
static u32 percpu[8];

static u32 *get_frame(void)
{
	u32 *frame;

	if (!nr_free)
		machine_die("no frame is left");
	frame = free_frames[--nr_free];
	users[((u8 *)frame - pool[0]) / PAGE_SIZE] = 1;
	return frame;
}

static u8 *users_of(u32 entry)
{
	return &users[((u8 *)virt(entry & -PAGE_SIZE) - pool[0]) / PAGE_SIZE];
}

static void put_frame(u32 entry)
{
	if (!--*users_of(entry))
		free_frames[nr_free++] = virt(entry & -PAGE_SIZE);
}

/* Linux's way with whole pages in 2007: rep stosl and rep movsl. */
static void clear_page(void *page)
{
	u32 words = PAGE_SIZE / 4;

	asm volatile("rep stosl" : "+D"(page), "+c"(words) : "a"(0) : "memory");
}

static void copy_page(void *to, const void *from)
{
	u32 words = PAGE_SIZE / 4;

	asm volatile("rep movsl"
		     : "+D"(to), "+S"(from), "+c"(words) : : "memory");
}

static u32 *pte(u32 *table, u32 address)
{
	return &table[address / PAGE_SIZE % 1024];
}

static void switch_to(struct task *next)
{
	struct task *previous = current;

	current = next;
	machine_switch(next);
	switch_stacks(&previous->saved_esp, next->saved_esp);
}

static u32 sys_exit(u32 status)
{
	exit_status = status;
	switch_to(&boot_task);
	return 0;
}

static u32 sys_getppid(void)
{
	return 1;
}

static u32 sys_yield(void)
{
	switch_to(current == partner ? &tasks[0] : partner);
	return 0;
}

const void *const system_calls[NR_CALLS] = {
	sys_exit, sys_getppid, sys_yield
};

/* Called from traps.S. */
void page_fault(struct frame *f)
{
	u32 address = machine_fault_address(), *entry, *copy;

	entry = pte(current->table, address);
	if (address >> 22 != USER_DATA >> 22 || address < USER_DATA ||
	    (f->cs & 3) != 3)
		machine_die("unexpected page fault");
	if (!(*entry & PTE_P)) {
		copy = get_frame();
		clear_page(copy);
		*(volatile u32 *)entry = phys(copy) | USER_PTE | PTE_W | PTE_D;
		machine_set_pte(current->directory, address, *entry);
		return;
	}
	if (!(f->error & 2) || (*entry & PTE_W))
		machine_die("page fault without a reason");
	if (*users_of(*entry) == 1) {
		/* The others are gone. */
		*(volatile u32 *)entry = *entry | PTE_W | PTE_D;
		machine_flush_page(current->directory, address);
		return;
	}
	copy = get_frame();
	copy_page(copy, virt(*entry & -PAGE_SIZE));
	--*users_of(*entry);
	*(volatile u32 *)entry = 0;
	machine_flush_page(current->directory, address);
	*(volatile u32 *)entry = phys(copy) | USER_PTE | PTE_W | PTE_D;
	machine_set_pte(current->directory, address, *entry);
}

/* An empty address space: the kernel, the program, two pages of stack. */
static void make_space(struct task *t, u32 which)
{
	u32 i;

	t->directory = directories[which];
	t->table = tables[which];
	t->stack_top = stacks[which] + STACK_BYTES;
	memcpy(t->directory, machine_directory(), PAGE_SIZE);
	*pte(t->table, USER_CODE) = phys(snippets_start) | USER_PTE;
	for (i = 1; i <= 2; i++)
		*pte(t->table, USER_STACK - i * PAGE_SIZE) =
			phys(get_frame()) | USER_PTE | PTE_W | PTE_D;
	t->directory[USER_CODE >> 22] = phys(t->table) | 7 | PTE_A;
}

/* Let the task begin a program when it is switched to. */
static struct frame *prepare(struct task *t, const u8 *program)
{
	struct frame *f = (struct frame *)t->stack_top - 1;
	u32 *stack = (u32 *)f - 6;

	memset(f, 0, sizeof(*f));
	f->ds = f->es = f->ss = USER_DS;
	f->cs = USER_CS;
	f->eflags = 2;
	f->eip = USER_CODE + (program - snippets_start);
	f->esp = USER_STACK;
	f->edi = USER_DATA;
	/* Four registers, the return address, and what it thinks was an argument. */
	stack[4] = (u32)first_return;
	t->saved_esp = (u32)stack;
	return f;
}

static void zap(struct task *t, u32 address, u32 n)
{
	u32 i, *entry;

	for (i = 0; i < n; i++) {
		entry = pte(t->table, address + i * PAGE_SIZE);
		if (!*entry)
			continue;
		put_frame(*entry);
		*(volatile u32 *)entry = 0;
	}
}

void kernel_init(void)
{
	u32 i;

	for (i = NR_FRAMES; i-- > 0; )
		free_frames[nr_free++] = (u32 *)pool[i];
	machine_init(entry_system_call, entry_page_fault, percpu);
	make_space(&tasks[0], 0);
	make_space(&tasks[1], 1);
	/* Where this runs now is good enough a task for the end of others. */
	boot_task = tasks[0];
}

u32 run_syscall(u32 repeats)
{
	prepare(&tasks[0], user_getppid)->ebp = repeats * SYSCALLS;
	switch_to(&tasks[0]);
	return exit_status == repeats * SYSCALLS;
}

u32 run_switch(u32 repeats)
{
	u32 i, p;

	for (i = 0; i < 2; i++) {
		for (p = 0; p < 4; p++)
			if (!*pte(tasks[i].table, USER_DATA + p * PAGE_SIZE)) {
				u32 *frame = get_frame();

				clear_page(frame);
				*frame = i + 1;
				*pte(tasks[i].table, USER_DATA + p * PAGE_SIZE) =
					phys(frame) | USER_PTE | PTE_W | PTE_D;
			}
		/* The second one is still at it when the first has done. */
		prepare(&tasks[i], user_yield)->ebp =
			repeats * SWITCHES / 2 + i;
	}
	partner = &tasks[1];
	switch_to(&tasks[0]);
	i = exit_status;
	/* What there is belongs to this workload: leave no trace. */
	for (p = 0; p < 2; p++)
		zap(&tasks[p], USER_DATA, 4);
	machine_flush_user();
	for (p = 0; p < 2; p++)
		for (i = 0; i < 4; i++)
			machine_set_pte_later(tasks[p].directory,
					      USER_DATA + i * PAGE_SIZE, 0);
	machine_apply();
	return exit_status == repeats * SWITCHES / 2 * 2;
}

u32 run_touch(u32 repeats)
{
	u32 i, sum = 0;

	for (i = 0; i < repeats; i++) {
		prepare(&tasks[0], user_touch)->ebp = TOUCHED_PAGES;
		switch_to(&tasks[0]);
		sum = exit_status;
		zap(&tasks[0], USER_DATA, TOUCHED_PAGES);
		machine_flush_user();
	}
	return sum;
}

/* The memory of a new process: everything shared, nothing writable. */
static void fork_space(struct task *parent, struct task *child)
{
	u32 i, *from, *to;

	clear_page(child->table);
	memcpy(child->directory, machine_directory(), PAGE_SIZE);
	*(volatile u32 *)&child->directory[USER_CODE >> 22] =
		phys(child->table) | 7 | PTE_A;
	machine_set_table(child->directory, USER_CODE);
	for (i = 0; i < 1024; i++) {
		from = &parent->table[i];
		to = &child->table[i];
		if (!*from)
			continue;
		if (i != USER_CODE / PAGE_SIZE % 1024) {
			*(volatile u32 *)from = *from & ~PTE_W;
			++*users_of(*from);
		}
		*(volatile u32 *)to = *from;
		machine_set_pte_later(child->directory,
				      (USER_CODE & -0x400000) + i * PAGE_SIZE, *to);
	}
	machine_apply();
	machine_flush_user();
}

static void exit_space(struct task *t)
{
	u32 i, *entry;

	for (i = 0; i < 1024; i++) {
		entry = &t->table[i];
		if (*entry && i != USER_CODE / PAGE_SIZE % 1024)
			put_frame(*entry);
		*(volatile u32 *)entry = 0;
	}
	*(volatile u32 *)&t->directory[USER_CODE >> 22] = 0;
	machine_set_table(t->directory, USER_CODE);
	machine_flush_user();
}

u32 run_fork(u32 repeats)
{
	u32 i, sum = 0;
	struct frame *f;

	exit_space(&tasks[1]);
	prepare(&tasks[0], user_touch)->ebp = FORK_PAGES;
	switch_to(&tasks[0]);
	for (i = 0; i < repeats; i++) {
		fork_space(&tasks[0], &tasks[1]);
		f = prepare(&tasks[1], user_fork_child);
		f->ebp = FORK_WRITES;
		f->ecx = FORK_PAGES / 2;
		switch_to(&tasks[1]);
		sum = exit_status;
		exit_space(&tasks[1]);
		/* The parent writes too, and owns its pages again. */
		prepare(&tasks[0], user_touch)->ebp = FORK_WRITES;
		switch_to(&tasks[0]);
		sum += exit_status;
	}
	zap(&tasks[0], USER_DATA, FORK_PAGES);
	machine_flush_user();
	/* As it was before. */
	for (i = 1; i <= 2; i++)
		*pte(tasks[0].table, USER_STACK - i * PAGE_SIZE) |= PTE_W;
	machine_flush_user();
	make_space(&tasks[1], 1);
	machine_set_table(tasks[1].directory, USER_CODE);
	return sum;
}

u32 run_hypercall(u32 repeats)
{
	u32 i = repeats * HYPERCALLS;

	while (i--)
		machine_call();
	return 0;
}

u32 run_console(u32 repeats)
{
	static const char text[] =
		". The quick brown fox jumps over the lazy dog, over and again.\n";
	u32 i = repeats * CONSOLE_LINES;

	while (i--)
		put_text(text, sizeof(text) - 1);
	return 0;
}
