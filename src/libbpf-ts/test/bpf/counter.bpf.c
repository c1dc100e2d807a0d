// SPDX-License-Identifier: MIT OR GPL-2.0
/* Counts one system call of one process, in every kind of place that user space can look at. */
#include "kernel_types.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct settings {
	__u32 step;
	__u8 enabled;
};

const volatile int wanted_tgid = 0;
const volatile __s64 wanted_call = 0;
const volatile struct settings settings = { .step = 1, .enabled = 1 };
const volatile char label[16] = "none";

__u64 calls = 0;
__s32 last_pid = -1;
__u64 start = 100;
__u32 history[4] = {};

struct sample {
	__u64 calls;
	__u32 pid;
	__u32 cpu;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct sample);
} by_process SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} by_cpu SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} mapped SEC(".maps");

static int count(long call)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	__u32 tgid = BPF_CORE_READ(task, tgid), zero = 0, *on_cpu;
	struct sample *sample, fresh = {};
	__u64 *slot;

	if (tgid != wanted_tgid || call != wanted_call || !settings.enabled)
		return 0;
	__sync_fetch_and_add(&calls, settings.step);
	start += settings.step;
	last_pid = BPF_CORE_READ(task, pid);
	history[calls & 3] = calls;
	sample = bpf_map_lookup_elem(&by_process, &tgid);
	if (!sample) {
		bpf_map_update_elem(&by_process, &tgid, &fresh, BPF_NOEXIST);
		sample = bpf_map_lookup_elem(&by_process, &tgid);
		if (!sample)
			return 0;
	}
	sample->calls++;
	sample->pid = last_pid;
	sample->cpu = bpf_get_smp_processor_id();
	on_cpu = bpf_map_lookup_elem(&by_cpu, &zero);
	if (on_cpu)
		++*on_cpu;
	slot = bpf_map_lookup_elem(&mapped, &zero);
	if (slot)
		++*slot;
	return 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(count_typed, struct pt_regs *regs, long call)
{
	return count(call);
}

SEC("raw_tp/sys_enter")
int count_raw(struct bpf_raw_tracepoint_args *context)
{
	return count(context->args[1]);
}

SEC("tp_btf/no_such_tracepoint")
int BPF_PROG(count_nothing)
{
	return 0;
}
