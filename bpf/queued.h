/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * UDP's packets in the queues of interfaces. What a packet is, is found out when it enters one, since it comes out in whichever
 * thread's time. By the packet's address and the interface, where another one may come if nobody was told of this one's departure.
 */
#ifndef TAUT_QUEUED_H
#define TAUT_QUEUED_H

#include "kernel_types.h"
#include <bpf/bpf_helpers.h>

struct queued {
	__u64 peer;		/* its hash */
	__u32 number;		/* the datagram that it answers; 0: none that is known, or an upper device has had it */
	__u16 is_more;		/* ... or that it is more of the answer to */
	__u16 is_early;		/* it is among the early answers (early.h) until its datagram is found */
};

/* User space makes it larger. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct queued);
} queued_answers SEC(".maps") __weak;

/* Global, as the next one, so that callers need no stack for it. Gives 0. */
__weak __noinline int keep_queued(__u64 packet, __u64 peer, __u32 number, int is_more, int is_early)
{
	struct queued queued = { .peer = peer, .number = number, .is_more = is_more, .is_early = is_early };

	bpf_map_update_elem(&queued_answers, &packet, &queued, BPF_ANY);
	return 0;
}

/* What was kept of another packet, of whose departure nobody was told, is not of this one at its address. */
__weak __noinline int forget_queued(__u64 packet)
{
	bpf_map_delete_elem(&queued_answers, &packet);
	return 0;
}

/* False if it is in no queue, or nobody knew when it came there what it was. */
static __always_inline bool take_queued(__u64 packet, __u64 peer, struct queued *taken)
{
	struct queued *queued = bpf_map_lookup_elem(&queued_answers, &packet);

	if (!queued)
		return false;
	*taken = *queued;
	return !bpf_map_delete_elem(&queued_answers, &packet) && taken->peer == peer;
}

#endif
