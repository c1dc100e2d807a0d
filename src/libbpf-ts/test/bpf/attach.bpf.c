// SPDX-License-Identifier: MIT OR GPL-2.0
/* One program for each way to attach; each counts its runs. */
#include "kernel_types.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

const volatile int wanted_tgid = 0;

__u64 runs[8] = {};

#define COUNT(slot) __sync_fetch_and_add(&runs[slot], 1)

static int is_wanted(void)
{
	return bpf_get_current_pid_tgid() >> 32 == wanted_tgid;
}

SEC("tracepoint")
int on_tracepoint(void *context)
{
	if (is_wanted())
		COUNT(0);
	return 0;
}

SEC("raw_tp")
int on_raw_tracepoint(void *context)
{
	if (is_wanted())
		COUNT(1);
	return 0;
}

SEC("perf_event")
int on_perf_event(void *context)
{
	COUNT(2);
	return 0;
}

SEC("uprobe")
int on_uprobe(struct pt_regs *context)
{
	if (is_wanted())
		COUNT(3);
	return 0;
}

SEC("cgroup_skb/egress")
int on_cgroup(struct __sk_buff *packet)
{
	COUNT(4);
	return 1;
}

SEC("xdp")
int on_xdp(struct xdp_md *packet)
{
	COUNT(5);
	return XDP_PASS;
}

SEC("tc")
int on_tc(struct __sk_buff *packet)
{
	COUNT(6);
	return 0;
}

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
} __attribute__((preserve_access_index));

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
} __attribute__((preserve_access_index));

SEC("iter/task")
int list_tasks(struct bpf_iter__task *context)
{
	struct task_struct *task = context->task;
	__u32 tgid;

	if (!task)
		return 0;
	tgid = task->tgid;
	bpf_seq_write(context->meta->seq, &tgid, sizeof(tgid));
	return 0;
}
