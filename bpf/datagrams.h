/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* The requests of UDP's peers that are not answered yet, and what the service has read lately. */
#ifndef TAUT_DATAGRAMS_H
#define TAUT_DATAGRAMS_H

#include "finish.h"
#include "peer.h"

#define MAX_PEERS 2048
/* Of one peer; more of them and the oldest is given up. */
#define MAX_DATAGRAMS 8
#define ANSWER_NS 1000000000ULL

/* From `popped` to `pushed` are those that have come and were not answered, each at its number modulo MAX_DATAGRAMS. */
struct datagrams {
	__u32 pushed;
	__u32 popped;
	__u64 early_ns;		/* something was sent that answers none of them */
	struct turn turns[MAX_DATAGRAMS];
};

/* Who has not been heard of for longest makes room; user space makes it smaller where it is not needed. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_PEERS);
	__type(key, struct peer);
	__type(value, struct datagrams);
} peers SEC(".maps");

static const struct datagrams no_datagrams;

/* Of whom a thread has read, no tracepoint says: a read belongs to the next answer of its thread that it can belong to. */
struct read {
	struct thread_run run;
	__u64 ns;
	__u32 tid;
	__u32 cpu;
	bool is_taken;
};

#define MAX_READS 32
#define MAX_SOCKETS 256

struct reads {
	__u32 count;
	struct read last[MAX_READS];
};

/* Of sockets of UDP nothing tells that they go: what an old one has left is too old to be found by another. */
STATE_OF_SOCKETS(reads_of_sockets, struct reads, BPF_MAP_TYPE_LRU_HASH, 0, MAX_SOCKETS);

static const struct reads no_reads;

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

/* False if somebody else was faster. */
static __always_inline bool pop(struct datagrams *datagrams, __u32 number)
{
	return __sync_val_compare_and_swap(&datagrams->popped, number, number + 1) == number;
}

static __always_inline void give_up_oldest(struct datagrams *datagrams, __u32 number)
{
	if (pop(datagrams, number))
		COUNT(unanswered);
}

/* Gives the number of the oldest that is worth waiting for; `pushed` when there is none. */
static __always_inline __u32 find_oldest(struct datagrams *datagrams, __u64 now)
{
	for (int i = 0; i < MAX_DATAGRAMS; i++) {
		__u32 popped = datagrams->popped, waiting = datagrams->pushed - popped;

		if (waiting < 2 || now - turn_of(datagrams, popped)->arrival.ready_ns < ANSWER_NS)
			return popped;
		give_up_oldest(datagrams, popped);
	}
	return datagrams->pushed;
}

/* The first read since a datagram has come, and before a time: this thread's, if that has one, or else another's. */
static __always_inline struct read *find_read(struct reads *reads, __u64 since, __u64 before, __u32 tid)
{
	struct read *own = NULL, *others = NULL;
	__u32 count = reads->count;

	for (__u32 i = 0; i < MAX_READS; i++) {
		struct read *read = &reads->last[(count - 1 - i) % MAX_READS];

		/* They come in order, but for those that threads are about to write. */
		if (read->is_taken || read->ns < since || read->ns > before)
			continue;
		if (read->tid == tid)
			own = read;
		else
			others = read;
	}
	return own ?: others;
}

/* The datagram was read by then; false if nobody saw that. */
static __always_inline bool match_read(struct turn *turn, struct reads *reads, __u64 now, __u32 tid)
{
	const struct packet_path *path = &turn->arrival.path;
	struct read *read = find_read(reads, path->receive_ns ?: turn->arrival.ready_ns, now, tid);

	if (!read)
		return false;
	read->is_taken = true;
	/* Reading may be seen before the arrival that it followed. */
	if (read->ns < turn->arrival.ready_ns)
		turn->arrival.ready_ns = read->ns;
	read_first(turn, &read->run, read->ns);
	read_last(turn, &read->run, read->tid, read->ns);
	turn->recv_cpu = read->cpu;
	return true;
}

#endif
