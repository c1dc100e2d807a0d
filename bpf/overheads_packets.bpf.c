// SPDX-License-Identifier: MIT OR GPL-2.0
/* What packets cost the machine, whosoever they are, in the windows of overheads.bpf.c. */
#include "cards.h"
#include "kernel_access.h"
#include "overheads.h"

const volatile __u64 nic_irqs[MAX_IRQS / 64] = {};

/* The NET_RX softirq that runs on a CPU. Counted when it ends, so that its packets and its time belong together. */
struct softirq_run {
	__u64 since_ns;		/* 0: none, or nobody saw it begin */
	__u64 packets;
	__u32 window;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct softirq_run);
} softirqs SEC(".maps");

/* NULL outside of a NET_RX softirq, as in busy polling and threaded NAPI, whose time nobody takes. */
static __always_inline struct softirq_run *this_softirq(void)
{
	__u32 zero = 0;
	struct softirq_run *run = bpf_map_lookup_elem(&softirqs, &zero);

	return run && run->since_ns && run->window == window ? run : NULL;
}

TRACEPOINT(softirq_entry)
int TIMED_PROG(softirq_entry, unsigned int vec)
{
	struct softirq_run *run;
	__u32 zero = 0;

	if (!window || vec != NET_RX_SOFTIRQ)
		return 0;
	run = bpf_map_lookup_elem(&softirqs, &zero);
	if (run)
		*run = (struct softirq_run){ .window = window, .since_ns = bpf_ktime_get_ns() };
	return 0;
}

TRACEPOINT(softirq_exit)
int TIMED_PROG(softirq_exit, unsigned int vec)
{
	struct softirq_run *run;
	struct overheads *o;

	if (!window || vec != NET_RX_SOFTIRQ)
		return 0;
	run = this_softirq();
	o = this_overheads();
	if (!run || !o)
		return 0;
	o->rx_ns += bpf_ktime_get_ns() - run->since_ns;
	o->packets += run->packets;
	run->since_ns = 0;
	return 0;
}

TRACEPOINT(netif_receive_skb)
int TIMED_PROG(netif_receive_skb, struct sk_buff *skb)
{
	struct softirq_run *run;

	if (!window)
		return 0;
	run = this_softirq();
	if (run)
		run->packets++;
	return 0;
}

/* GRO_MERGED and GRO_MERGED_FREE, the first of enum gro_result: the packet is a part of another from here on. */
#define GRO_MERGED_FREE 1

static __always_inline int count_gro(int result)
{
	struct softirq_run *run;
	struct overheads *o;

	if (!window)
		return 0;
	run = this_softirq();
	o = this_overheads();
	if (!o)
		return 0;
	o->gro_packets++;
	if (result > GRO_MERGED_FREE)
		return 0;
	o->gro_merged++;
	if (run)
		run->packets++;
	return 0;
}

TRACEPOINT(napi_gro_receive_exit)
int TIMED_PROG(napi_gro_receive, int result)
{
	return count_gro(result);
}

TRACEPOINT(napi_gro_frags_exit)
int TIMED_PROG(napi_gro_frags, int result)
{
	return count_gro(result);
}

TRACEPOINT(napi_poll)
int TIMED_PROG(napi_poll, struct napi_struct *napi, int work)
{
	struct net_device *dev;
	struct overheads *o;

	if (!window || work <= 0)
		return 0;
	o = this_overheads();
	if (!o)
		return 0;
	o->polls++;
	o->polled_packets += work;
	dev = READ(napi, dev);
	if (dev && is_hardware(dev))
		o->card_packets += work;
	return 0;
}

TRACEPOINT(irq_handler_entry)
int TIMED_PROG(irq_handler_entry, int irq)
{
	struct overheads *o;

	if (!window || !is_card_irq(irq))
		return 0;
	o = this_overheads();
	if (o)
		o->card_interrupts++;
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
