// SPDX-License-Identifier: MIT OR GPL-2.0
/* Receive context: which softirq a CPU is in, since when, and when the packet in hand reached the stack. */
#include "context.h"

SEC("tp_btf/softirq_entry")
int BPF_PROG(softirq_entry, unsigned int vec)
{
	struct cpu_state *cpu = this_cpu();

	cpu->softirq = vec + 1;
	if (vec == NET_RX_SOFTIRQ)
		cpu->softirq_ns = bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/softirq_exit")
int BPF_PROG(softirq_exit, unsigned int vec)
{
	struct cpu_state *cpu = this_cpu();

	cpu->softirq = 0;
	cpu->receive_ns = 0;
	return 0;
}

SEC("tp_btf/netif_receive_skb")
int BPF_PROG(netif_receive_skb, struct sk_buff *skb)
{
	this_cpu()->receive_ns = bpf_ktime_get_ns();
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
