// SPDX-License-Identifier: MIT OR GPL-2.0
#include "shared.h"

struct event {
	__u32 pid;
	char comm[16];
};

const struct event *unused_event __attribute__((unused));
extern __u64 seen;
int last_pid = -1;

SEC("raw_tp/sched_wakeup")
int second(unsigned long long *ctx)
{
	struct task_struct *task = (void *)ctx[0];
	__u32 key = __builtin_preserve_access_index(&task->pid) != 0;

	last_pid = key + seen;
	return bpf_map_lookup_elem(&samples, &key) != 0;
}
