// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Is a BTF file this kernel's? Looks at one system call, whosoever's, where the file says that things are, and finds out what no
 * BTF tells: where in a thread's stack its registers are.
 */
#include "kernel_compat.h"
#include <bpf/bpf_tracing.h>

enum architecture { UNKNOWN, X64, ARM64, ARM };

__u32 architecture = UNKNOWN;	/* of the kernel that the file is of */
__u32 is_task_right = 0;	/* the thread's numbers are where the file says */
__u32 is_call_right = 0;	/* ... and the call's is in its registers */
__u64 distance = 0;	/* of the registers from the begin of the stack; 0: no call was seen */

TRACEPOINT(sys_enter)
int look_at_call(__u64 *ctx)
{
	struct task_struct *task = current_task();
	__u64 id = bpf_get_current_pid_tgid();
	void *regs = (void *)ctx[0];
	struct pt_regs___x86 *x86 = regs;
	struct pt_regs___arm64 *arm64 = regs;
	struct pt_regs___arm *arm = regs;

	if (distance)
		return 0;
	is_task_right = READ(task, pid) == (__s32)id && READ(task, tgid) == id >> 32;
	if (bpf_core_field_exists(x86->orig_ax)) {
		architecture = X64;
		is_call_right = (__u32)READ(x86, orig_ax) == (__u32)ctx[1];
	} else if (bpf_core_field_exists(arm64->syscallno)) {
		architecture = ARM64;
		is_call_right = (__u32)READ(arm64, syscallno) == (__u32)ctx[1];
	} else if (bpf_core_field_exists(arm->uregs)) {
		architecture = ARM;
		is_call_right = (__u32)READ(arm, uregs[7]) == (__u32)ctx[1];
	}
	distance = (__u64)regs - (__u64)READ(task, stack);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
