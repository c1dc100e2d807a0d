/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* The one place for differences between kernels: a named helper each, with the change that made it necessary. */
#ifndef TAUT_KERNEL_COMPAT_H
#define TAUT_KERNEL_COMPAT_H

#include "kernel_types.h"
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
		return prev->__state != 0;
	return ((struct task_struct___before_5_14 *)prev)->state != 0;
}

#endif
