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
	__u64 answers;		/* which datagram; changes once at most, from ANSWERS_EARLY */
};

/* That one has been answered, and this is more of the answer; 0: to none that is known, or an upper device has had it. */
#define ANSWERS_AGAIN (1ULL << 32)
/* It is among the early answers (early.h), by the time that stands below this. */
#define ANSWERS_EARLY (1ULL << 63)

/* User space makes it larger. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct queued);
} queued_answers SEC(".maps") __weak;

/* Global, as the others, so that callers need no stack for it. Gives 0. */
__weak __noinline int keep_queued(__u64 packet, __u64 peer, __u64 answers, __u64 flags)
{
	struct queued queued = { .peer = peer, .answers = answers };

	bpf_map_update_elem(&queued_answers, &packet, &queued, flags);
	return 0;
}

/* What was kept of another packet, of whose departure nobody was told, is not of this one at its address. Gives 0. */
__weak __noinline int forget_queued(__u64 packet)
{
	bpf_map_delete_elem(&queued_answers, &packet);
	return 0;
}

/* The datagram of an early answer is found. False if that has left its queue, or is not known there. */
__weak __noinline int tell_queued(__u64 packet, __u64 early_ns, __u32 number)
{
	struct queued *queued = bpf_map_lookup_elem(&queued_answers, &packet);
	__u64 early = ANSWERS_EARLY | early_ns;

	return queued && __sync_val_compare_and_swap(&queued->answers, early, number) == early;
}

#endif
