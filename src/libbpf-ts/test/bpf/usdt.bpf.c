// SPDX-License-Identifier: MIT OR GPL-2.0
/* Counts the runs of the USDT probe in probed.c, which has to be in the current folder. */
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/usdt.bpf.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

__u64 runs = 0;

SEC("usdt/./probed:test:probe")
int BPF_USDT(on_probe)
{
	__sync_fetch_and_add(&runs, 1);
	return 0;
}
