/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* The few types of the kernel that the test programs read, found in the running one by CO-RE. */
#ifndef KERNEL_TYPES_H
#define KERNEL_TYPES_H

#include <linux/bpf.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct task_struct {
	int pid;
	int tgid;
};

#pragma clang attribute pop

#endif
