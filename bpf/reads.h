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
#define READ_SLACK 16
/* As many can have left the queue while the end of their reading is still to come. */
#define MAX_BETWEEN 4

/* Numbers of reads and of datagrams begin anew when there are no more. */
static __always_inline bool comes_before(__u32 number, __u32 other)
{
	return (__s32)(number - other) < 0;
}

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
static __always_inline void keep_read(const struct reader *reader, struct cpu_state *cpu, __u64 now)
{
	__u32 number = __sync_fetch_and_add(&reader->reads->count, 1);
	struct read *read = read_at(reader->reads, number);

	if (cpu->tid)
		cpu->run.read_ns = now;
	/* Exchanges, as answers on other CPUs look for reads meanwhile. */
	__sync_lock_test_and_set(&read->is_taken, 1);
	read->run = cpu->tid ? cpu->run : no_thread;
	read->tid = cpu->tid;
	read->cpu = bpf_get_smp_processor_id();
	read->ns = now;
	read->socket = reader->socket;
	read->number = number;
	__sync_lock_test_and_set(&read->is_taken, 0);
}

/*
 * Gives the number that the read of a datagram will have, or has, which is on the socket now: behind those that are ahead of
 * it in the queue. Off by as many as are between a queue and the end of their reading, or fill the queue at the same time (several
 * at once since 6.18). In this order it is too low where they are read meanwhile, and the ones before it are taken by the time it is
 * looked for; were it too high, it would take the read of the next one, and so would all others until none waits.
 */
static __always_inline __u32 expect_read(const struct reader *reader, struct sock *sk)
{
	__u32 count = *(volatile __u32 *)&reader->reads->count;
	/* Readers move what is in the second one to the first. */
	__u32 queued = READ_UNTYPED((struct udp_sock *)sk, reader_queue.qlen);

	barrier();
	return count + queued + READ(sk, sk_receive_queue.qlen) - 1;
}

enum match {
	FOUND,
	NOT_READ,
	NOT_KNOWN,	/* it may have been read, but that is forgotten */
};

/* What this thread has sent last to the peer was an answer too, and it has read nothing since, so that this may be more of that. */
enum follows {
	FOLLOWS = 1,
	FOLLOWS_EARLY,	/* ... and it was sent before its datagram was there: it is more, unless that thread has read another one */
};

/*
 * Which read is looked for: about this one on a socket, by a time, and rather by this thread than by another. Without a gap, as the
 * verifier of older kernels wants all of it written.
 */
struct query {
	__u64 socket;
	__u64 before;
	__u32 expected;
	__u32 tid;
	__u32 follows;		/* an enum follows; 0: it does not */
	__u32 found;		/* the number of the nearest that is not another datagram's; valid after FOUND */
};

/* The nearest first, on both sides; then farther on, where the reads of other sockets that share the ring have moved it. */
static __always_inline __u32 nearby(__u32 expected, __u32 i)
{
	if (i >= 2 * READ_SLACK)
		return expected + i - READ_SLACK;
	return i & 1 ? expected - (i + 1) / 2 : expected + i / 2;
}

static __always_inline enum match find_read(const struct reader *reader, struct query *query, __u64 since)
{
	__u32 count = reader->reads->count, expected = query->expected;
	bool is_ahead = !comes_before(expected, count);
	enum match match = NOT_KNOWN;

	if (count - expected > MAX_READS - MAX_SEARCHED && !is_ahead)
		return NOT_KNOWN;
	for (__u32 i = 0; i < MAX_SEARCHED; i++) {
		/* The queue was shorter than it looked, if it has been read at all. */
		__u32 number = is_ahead ? count - 1 - i : nearby(expected, i);
		struct read *read = read_at(reader->reads, number);

		if (read->is_taken || read->number != number || read->socket != reader->socket || read->ns < since ||
		    read->ns > query->before)
			continue;
		if (read->tid == query->tid) {
			query->found = number;
			return FOUND;
		}
		/* What seems not to be read yet is answered only by who has read something that it has not answered. */
		if (match != FOUND && !(is_ahead && query->follows) && query->follows != FOLLOWS_EARLY) {
			query->found = number;
			match = FOUND;
		}
	}
	if (match == FOUND)
		return FOUND;
	if (query->follows && !comes_before(expected + MAX_BETWEEN, count))
		return NOT_READ;
	/* An answer tells that it has been read, unless others were ahead of it: the kernel may have left a probe's run out. */
	return is_ahead && expected != count ? NOT_READ : NOT_KNOWN;
}

/* Has the datagram been read that is expected to have a read? Gives an enum match. Global for the verifier's sake, as claim_left is. */
__weak __noinline int is_read(const struct turn *turn, struct query *query)
{
	struct reader reader;

	if (!turn || !query || !find_reader(query->socket, &reader))
		return NOT_READ;
	return find_read(&reader, query, turn->arrival.path.receive_ns ?: turn->arrival.ready_ns);
}

/* Fills in by whom a request was read, and when. False if that read is another datagram's meanwhile. */
__weak __noinline int take_read(struct turn *turn, const struct query *query)
{
	struct reader reader;
	struct read *read;

	if (!turn || !query || !find_reader(query->socket, &reader))
		return false;
	read = read_at(reader.reads, query->found);
	if (__sync_val_compare_and_swap(&read->is_taken, 0, 1))
		return false;
	/* Reading may be seen before the arrival that it followed. */
	if (read->ns < turn->arrival.ready_ns)
		turn->arrival.ready_ns = read->ns;
	read_first(turn, &read->run, read->ns);
	read_last(turn, &read->run, read->tid, read->ns);
	turn->recv_cpu = read->cpu;
	return true;
}

#endif
