/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* The requests of UDP's peers that were read and are not answered yet. */
#ifndef TAUT_DATAGRAMS_H
#define TAUT_DATAGRAMS_H

#include "finish.h"
#include "peer.h"

#define MAX_PEERS 4096
/* Of one peer; more of them and the oldest is given up. */
#define MAX_DATAGRAMS 8
#define ANSWER_NS 1000000000ULL

/* What is known of it so far: how it came, or, for the moment in which reading was faster, how it was read. */
struct datagram {
	struct peer peer;
	struct turn turn;
};

/* From `popped` to `pushed` are those that were read and not answered, each at its number modulo MAX_DATAGRAMS. */
struct datagrams {
	__u32 pushed;
	__u32 popped;
	struct turn turns[MAX_DATAGRAMS];
};

/* Who has not been heard of for longest makes room. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_PEERS);
	__type(key, struct peer);
	__type(value, struct datagrams);
} peers SEC(".maps");

static const struct datagrams no_datagrams;

static __always_inline void give_up_oldest(struct datagrams *datagrams, __u32 number)
{
	struct metrics *m = this_metrics();

	if (__sync_val_compare_and_swap(&datagrams->popped, number, number + 1) == number && m)
		__sync_fetch_and_add(&m->unanswered, 1);
}

static __always_inline struct turn *turn_of(struct datagrams *datagrams, __u32 number)
{
	return &datagrams->turns[number % MAX_DATAGRAMS];
}

static __always_inline struct datagrams *find_datagrams(struct peer *peer)
{
	struct datagrams *datagrams = bpf_map_lookup_elem(&peers, peer);

	if (datagrams)
		return datagrams;
	bpf_map_update_elem(&peers, peer, &no_datagrams, BPF_NOEXIST);
	return bpf_map_lookup_elem(&peers, peer);
}

/* The datagram has come and was read. */
static __always_inline void begin(const struct datagram *datagram)
{
	struct peer peer = datagram->peer;
	struct datagrams *datagrams = NULL;
	struct turn *turn;

	if (peer.version)
		datagrams = find_datagrams(&peer);
	if (!datagrams) {
		count_full_map();
		return;
	}
	if (datagrams->pushed - datagrams->popped >= MAX_DATAGRAMS)
		give_up_oldest(datagrams, datagrams->popped);
	/* Two threads that read datagrams of one peer at once each have their own number. */
	turn = turn_of(datagrams, __sync_fetch_and_add(&datagrams->pushed, 1));
	turn->last_ns = 0;
	*turn = datagram->turn;
	count_begin();
}

/* The oldest that was read and is worth waiting for, from a number on; NULL if there is none. */
static __always_inline struct turn *find_oldest(struct datagrams *datagrams, __u64 now, __u32 *number)
{
	for (int i = 0; i < MAX_DATAGRAMS; i++) {
		__u32 popped = datagrams->popped, waiting = datagrams->pushed - popped;
		struct turn *turn = turn_of(datagrams, popped);

		if (!waiting || !turn->last_ns)
			return NULL;
		if (waiting == 1 || now - turn->last_ns < ANSWER_NS) {
			*number = popped;
			return turn;
		}
		give_up_oldest(datagrams, popped);
	}
	return NULL;
}

#endif
