/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* The one place for differences between kernels: a named helper each, with the change that made it necessary. */
#ifndef TAUT_KERNEL_COMPAT_H
#define TAUT_KERNEL_COMPAT_H

#include "kernel_access.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

/* task_struct.state became __state in 5.14 (2f064a59a11f). */
struct task_struct___before_5_14 {
	volatile long state;
} __attribute__((preserve_access_index));

/*
 * Whether the task that is being switched out goes to sleep, rather than being preempted. The prev_state
 * argument of sched_switch came with 5.18 (fa2c3254d7cf); the field has the same answer here, because the
 * scheduler changes it only after the switch.
 */
static __always_inline bool task_blocks(bool preempt, struct task_struct *prev)
{
	if (preempt)
		return false;
	if (bpf_core_field_exists(prev->__state))
		return READ(prev, __state) != 0;
	return READ((struct task_struct___before_5_14 *)prev, state) != 0;
}

/* `end` is a distance from `head` on 64 bits (NET_SKBUFF_DATA_USES_OFFSET), and a pointer on 32. */
struct sk_buff___of_32_bits {
	unsigned char *end;
} __attribute__((preserve_access_index));

/* Of a packet that is segmented later (GSO), how much payload each segment will have; 0 of others. */
static __always_inline __u16 segment_size_of(const struct sk_buff *skb)
{
	const struct sk_buff___of_32_bits *short_skb = (const void *)skb;
	struct skb_shared_info *shared;

	if (bpf_core_field_exists(short_skb->end))
		shared = (void *)BPF_CORE_READ(short_skb, end);
	else
		shared = (void *)(BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, end));
	return BPF_CORE_READ(shared, gso_size);
}

/* Registers as the entry from user space left them, on each architecture. */
struct pt_regs___x86 {
	long di;
	long si;
	long dx;
	long ax;
	long orig_ax;
} __attribute__((preserve_access_index));

struct pt_regs___arm64 {
	__u64 regs[31];
	__u64 orig_x0;
	int syscallno;
} __attribute__((preserve_access_index));

struct pt_regs___arm {
	long uregs[18];
} __attribute__((preserve_access_index));

#define NO_SYSCALL (~0u)

/*
 * The number of the system call that a task is in. An exception has registers too: on x86 only a call has ENOSYS for
 * its result as long as it lasts, on arm64 the number says so itself, on arm a fault may pass for a call.
 */
static __always_inline __u32 syscall_of(struct task_struct *task)
{
	void *regs = registers_of(task);
	struct pt_regs___x86 *x86 = regs;
	struct pt_regs___arm64 *arm64 = regs;
	struct pt_regs___arm *arm = regs;

	if (bpf_core_field_exists(x86->orig_ax))
		return READ(x86, ax) == -38 ? READ(x86, orig_ax) : NO_SYSCALL;
	if (bpf_core_field_exists(arm64->syscallno))
		return READ(arm64, syscallno);
	if (bpf_core_field_exists(arm->uregs))
		return READ(arm, uregs[7]);
	return NO_SYSCALL;
}

/* What tells a system call from the next one that a task makes: its first three arguments. */
struct call_arguments {
	__u64 values[3];
};

static __always_inline struct call_arguments arguments_of(struct task_struct *task)
{
	void *regs = registers_of(task);
	struct pt_regs___x86 *x86 = regs;
	struct pt_regs___arm64 *arm64 = regs;
	struct pt_regs___arm *arm = regs;

	if (bpf_core_field_exists(x86->orig_ax))
		return (struct call_arguments){ { READ(x86, di), READ(x86, si), READ(x86, dx) } };
	if (bpf_core_field_exists(arm64->syscallno))
		return (struct call_arguments){ { READ(arm64, regs[0]), READ(arm64, regs[1]), READ(arm64, regs[2]) } };
	if (bpf_core_field_exists(arm->uregs))
		return (struct call_arguments){ { READ(arm, uregs[0]), READ(arm, uregs[1]), READ(arm, uregs[2]) } };
	return (struct call_arguments){};
}

/* The number of the system call that this thread is about to leave, and its first argument. */
struct left_call {
	__u32 number;
	__u32 argument;
};

static __always_inline struct left_call left_call_of(struct task_struct *task)
{
	void *regs = registers_of(task);
	struct pt_regs___x86 *x86 = regs;
	struct pt_regs___arm64 *arm64 = regs;
	struct pt_regs___arm *arm = regs;

	if (bpf_core_field_exists(x86->orig_ax))
		return (struct left_call){ READ(x86, orig_ax), READ(x86, di) };
	if (bpf_core_field_exists(arm64->syscallno))
		return (struct left_call){ READ(arm64, syscallno), READ(arm64, orig_x0) };
	/* The result has taken the first argument's place; a copy is behind the others. */
	if (bpf_core_field_exists(arm->uregs))
		return (struct left_call){ READ(arm, uregs[7]), READ(arm, uregs[17]) };
	return (struct left_call){ NO_SYSCALL };
}

static __always_inline bool is_same_call(const struct call_arguments *a, const struct call_arguments *b)
{
	return a->values[0] == b->values[0] && a->values[1] == b->values[1] && a->values[2] == b->values[2];
}

#endif
