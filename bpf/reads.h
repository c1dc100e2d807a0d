/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * What the service has read lately. Of whom a thread has read, no tracepoint says; but a socket is read in the order in which
 * datagrams came, so that it is known about where among the reads of the socket a datagram's own is.
 */
#ifndef TAUT_READS_H
#define TAUT_READS_H

#include "finish.h"

/* What was read longer ago is forgotten. */
#define MAX_READS 8192
/* So many reads are looked at for the one that belongs to a datagram. */
#define MAX_SEARCHED 64
/* The queue that is ahead of a datagram can be so much shorter than it looks, when several CPUs fill it. */
#define QUEUE_SLACK 16

struct read {
	struct thread_run run;
	__u64 ns;
	__u64 socket;
	__u32 tid;
	__u32 cpu;
	__u32 number;		/* written last */
	__u32 is_taken;
};

struct reads {
	__u32 count;
	struct read last[MAX_READS];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct reads);
} reads SEC(".maps") __weak;

/*
 * So many entries user space gives that map: as many sockets as run on CPUs at the same time need rings, and others share
 * them; but on kernels where a datagram's socket is not known before its answer, there is one for all.
 */
extern const volatile __u32 rings;

/* The reads of one socket, which is known by its address as a number. */
struct reader {
	struct reads *reads;
	__u64 socket;
};

/* False if there is no room for any. */
static __always_inline bool find_reader(__u64 socket, struct reader *reader)
{
	__u32 ring = (socket * 0x9e3779b97f4a7c15ULL >> 32) % rings;

	reader->reads = bpf_map_lookup_elem(&reads, &ring);
	reader->socket = socket;
	return reader->reads;
}

static __always_inline struct read *read_at(struct reads *reads, __u32 number)
{
	return &reads->last[number % MAX_READS];
}

/* A call to receive has ended on this CPU. */
static __always_inline void keep_read(const struct reader *reader, const struct cpu_state *cpu, __u64 now)
{
	__u32 number = __sync_fetch_and_add(&reader->reads->count, 1);
	struct read *read = read_at(reader->reads, number);

	/* Exchanges, as answers on other CPUs look for reads meanwhile. */
	__sync_lock_test_and_set(&read->is_taken, 1);
	read->run = cpu->run;
	read->tid = cpu->tid;
	read->cpu = bpf_get_smp_processor_id();
	read->ns = now;
	read->socket = reader->socket;
	read->number = number;
	__sync_lock_test_and_set(&read->is_taken, 0);
}

/* Where a datagram's own read is among those of its socket: from `first` on, and about `ahead` behind that. */
struct position {
	__u32 first;
	__u32 ahead;
};

/* Of a datagram that is on the socket now, and came to IP at `since`. */
static __always_inline struct position find_position(const struct reader *reader, struct sock *sk, __u64 since)
{
	__u32 queued = READ(sk, sk_receive_queue.qlen) + READ_UNTYPED((struct udp_sock *)sk, reader_queue.qlen);
	struct position position = {
		.first = reader->reads->count,
		.ahead = queued > QUEUE_SLACK ? queued - QUEUE_SLACK : 0,
	};

	/* It may have been read already. */
	for (int i = 0; i < QUEUE_SLACK && read_at(reader->reads, position.first - 1)->ns >= since; i++)
		position.first--;
	return position;
}

enum match {
	MATCHED,
	NOT_READ,
	NOT_KNOWN,	/* it may have been read, but that is forgotten */
};

/* From where to look, when so many reads are known. */
static __always_inline __u32 begin_of_search(const struct position *position, __u32 count)
{
	__u32 begin = position->first + position->ahead, latest = count - MAX_SEARCHED / 2;

	if ((__s32)(begin - latest) > 0)
		begin = latest;
	return (__s32)(begin - position->first) > 0 ? begin : position->first;
}

/* Which read is looked for: of a datagram on a socket, by a time, and rather by this thread than by another. */
struct query {
	struct position position;
	__u64 socket;
	__u64 before;
	__u32 tid;
};

/* Finds the first that is not another datagram's, and gives its number. */
static __always_inline enum match find_read(const struct reader *reader, const struct query *query, __u64 since, __u32 *found)
{
	__u32 count = reader->reads->count, begin = begin_of_search(&query->position, count);
	enum match match = NOT_KNOWN;

	if (count - begin > MAX_READS - MAX_SEARCHED)
		return NOT_KNOWN;
	for (__u32 i = 0; i < MAX_SEARCHED; i++) {
		__u32 number = begin + i;
		struct read *read = read_at(reader->reads, number);

		if (number == count)
			return match == MATCHED ? MATCHED : NOT_READ;
		if (read->is_taken || read->number != number || read->socket != reader->socket || read->ns < since ||
		    read->ns > query->before)
			continue;
		if (read->tid == query->tid) {
			*found = number;
			return MATCHED;
		}
		if (match != MATCHED) {
			*found = number;
			match = MATCHED;
		}
	}
	return match;
}

/*
 * Fills in by whom a request was read, and when; gives an enum match. Global for the verifier's sake, as claim_left is.
 */
__weak __noinline int match_datagram(struct turn *turn, const struct query *query)
{
	struct reader reader;
	struct read *read;
	enum match match;
	__u32 number = 0;

	if (!turn || !query || !find_reader(query->socket, &reader))
		return NOT_READ;
	match = find_read(&reader, query, turn->arrival.path.receive_ns ?: turn->arrival.ready_ns, &number);
	if (match != MATCHED)
		return match;
	read = read_at(reader.reads, number);
	if (__sync_val_compare_and_swap(&read->is_taken, 0, 1))
		return NOT_KNOWN;
	/* Reading may be seen before the arrival that it followed. */
	if (read->ns < turn->arrival.ready_ns)
		turn->arrival.ready_ns = read->ns;
	read_first(turn, &read->run, read->ns);
	read_last(turn, &read->run, read->tid, read->ns);
	turn->recv_cpu = read->cpu;
	return MATCHED;
}

#endif
