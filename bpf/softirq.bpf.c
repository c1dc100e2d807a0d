// SPDX-License-Identifier: MIT OR GPL-2.0
/* Receive context: when the CPU's NET_RX softirq began, and when the packet in hand reached the stack. */
#include "context.h"

SEC("tp_btf/softirq_entry")
int BPF_PROG(softirq_entry, unsigned int vec)
{
	this_cpu()->softirq_ns = vec == NET_RX_SOFTIRQ ? bpf_ktime_get_ns() : 0;
	return 0;
}

/* Busy polling, threaded NAPI and tun deliver packets outside any softirq, and must not take an earlier one's time. */
SEC("tp_btf/softirq_exit")
int BPF_PROG(softirq_exit, unsigned int vec)
{
	this_cpu()->softirq_ns = 0;
	return 0;
}

SEC("tp_btf/netif_receive_skb")
int BPF_PROG(netif_receive_skb, struct sk_buff *skb)
{
	this_cpu()->receive_ns = bpf_ktime_get_ns();
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
