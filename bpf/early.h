/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * Answers that left, or entered the queue of an interface, before the datagram they answer was known to be on its socket, which
 * happens when the service is at work on another CPU: it may read as soon as the datagram is in the socket's queue, and probes are
 * told a little later.
 */
#ifndef TAUT_EARLY_H
#define TAUT_EARLY_H

#include "datagrams.h"
#include "queued.h"

/* What has become of an answer. */
enum fate {
	LEFT,
	DROPPED,	/* by the kernel, so that it never leaves */
	QUEUED,		/* in the queue of an interface */
};

struct early {
	__u64 peer;		/* its hash */
	__u64 ns;		/* 0: none */
	__u64 sent_ns;		/* the same, also while somebody holds it */
	__u64 left_ns;		/* valid once its fate is LEFT; the same if it was in no queue */
	__u64 packet;		/* 0: it was in no queue */
	__u64 call_ns;		/* begin of the call that has sent it */
	__u64 call_off_ns;	/* off_ns of the thread by then */
	__u32 tid;		/* 0: not the service's, or it sends by another's order */
	__u32 cpu;		/* that it was sent on */
	__u32 fate;
	bool follows;		/* an answer of that thread to the peer, and it had read nothing since */
};

/* Somebody writes there. */
#define EARLY_WRITES (~0ULL)
#define EARLY_SETS 256
#define EARLY_WAYS 4
/* So many are looked at at once, or looked at again as others were faster. */
#define EARLY_TRIES 16

struct early early_answers[EARLY_SETS][EARLY_WAYS] __weak = {};

static __always_inline struct early *early_of(__u64 hash)
{
	return early_answers[hash >> 40 & (EARLY_SETS - 1)];
}

/* In the place of the oldest that shares it: an answer to something is taken at once. False if others were faster. */
static __always_inline bool keep_early(__u64 hash, const struct cpu_state *cpu, __u64 now, bool follows, enum fate fate,
				       __u64 packet)
{
	struct early *set = early_of(hash);

	for (int i = 0; i < EARLY_WAYS; i++) {
		struct early *place = set;
		__u64 before;

		for (int way = 1; way < EARLY_WAYS; way++) {
			if (set[way].ns < place->ns)
				place = &set[way];
		}
		before = place->ns;
		if (before == EARLY_WRITES || __sync_val_compare_and_swap(&place->ns, before, EARLY_WRITES) != before)
			continue;
		place->peer = hash;
		place->sent_ns = now;
		place->left_ns = now;
		place->packet = packet;
		place->call_ns = cpu->run.call_ns;
		place->call_off_ns = cpu->run.call_off_ns;
		place->tid = READ(current_task(), flags) & PF_IO_WORKER ? 0 : cpu->tid;
		place->cpu = bpf_get_smp_processor_id();
		place->fate = fate;
		place->follows = follows;
		__sync_lock_test_and_set(&place->ns, now);
		return true;
	}
	return false;
}

/* For whoever finds the datagram of an answer that has left its queue, or is dropped there. */
static __always_inline void settle_early(__u64 hash, __u64 packet, __u64 sent_ns, enum fate fate, __u64 now)
{
	struct early *set = early_of(hash);

	for (int way = 0; way < EARLY_WAYS; way++) {
		if (set[way].peer != hash || set[way].packet != packet || set[way].sent_ns != sent_ns)
			continue;
		set[way].left_ns = now;
		set[way].fate = fate;
		return;
	}
}

/*
 * Gives what a packet answers that leaves its queue, or is dropped there. Of an early answer whose datagram is not found yet that is
 * none, as it ends when it is found. False if it is in no queue, or nobody knew when it came there what it was.
 */
static __always_inline bool take_queued(__u64 packet, __u64 hash, enum fate fate, __u64 now, __u64 *answers)
{
	struct queued *queued = bpf_map_lookup_elem(&queued_answers, &packet);
	bool is_known;

	if (!queued)
		return false;
	is_known = queued->peer == hash;
	*answers = queued->answers;
	if (is_known && *answers & ANSWERS_EARLY) {
		settle_early(hash, packet, *answers & ~ANSWERS_EARLY, fate, now);
		*answers = __sync_val_compare_and_swap(&queued->answers, *answers, ANSWERS_AGAIN);
		if (*answers & ANSWERS_EARLY)
			*answers = ANSWERS_AGAIN;
	}
	bpf_map_delete_elem(&queued_answers, &packet);
	return is_known;
}

/* Most have none, and need not be looked up. */
static __always_inline bool has_early(__u64 hash)
{
	struct early *set = early_of(hash);

	for (int way = 0; way < EARLY_WAYS; way++) {
		if (set[way].peer == hash && set[way].ns)
			return true;
	}
	return false;
}

/* Gives the oldest of a peer's that was sent since, and when that was; nobody else gets it until it is released. NULL if there is none. */
static __always_inline struct early *hold_early(__u64 hash, __u64 since, __u64 *sent_ns)
{
	struct early *set = early_of(hash), *found = NULL;
	__u64 ns = EARLY_WRITES;

	for (int way = 0; way < EARLY_WAYS; way++) {
		if (set[way].peer != hash || set[way].ns <= since || set[way].ns >= ns)
			continue;
		found = &set[way];
		ns = found->ns;
	}
	if (!found || __sync_val_compare_and_swap(&found->ns, ns, EARLY_WRITES) != ns)
		return NULL;
	*sent_ns = ns;
	return found;
}

/* 0: it has found its datagram, or is of none. */
static __always_inline void release_early(struct early *early, __u64 ns)
{
	__sync_lock_test_and_set(&early->ns, ns);
}

/* Is the answer to this datagram in a queue still? Then it ends when that is left. */
static __always_inline bool ends_with_queue(struct early *early, __u32 number)
{
	if (!early->packet)
		return false;
	if (tell_queued(early->packet, early->sent_ns, number))
		return true;
	/* A barrier as well: left_ns was written before. */
	if (__sync_fetch_and_or(&early->fate, 0) != QUEUED)
		return false;
	/* Its entry had to make room for another. */
	keep_queued(early->packet, early->peer, number, BPF_NOEXIST);
	return true;
}

/* As leave_app does, of a call that is over. */
static __always_inline void leave_app_early(struct turn *turn, const struct early *early)
{
	if (!early->tid || early->tid != turn->reader || early->call_ns < turn->last_ns)
		return;
	turn->app_wait_ns = early->call_off_ns - turn->recv_off_ns;
	turn->undivided = false;
	turn->send_cpu = early->cpu;
	turn->send_entry_ns = early->call_ns;
}

/*
 * The peer's oldest that wait may be answered already. Those that there was no room for, of which nothing is kept, by answers that
 * were sent after `since` only. Gives 0.
 */
__weak __noinline int answer_early(const struct peer *early_peer, __u64 socket, __u64 since)
{
	struct peer peer;
	struct datagrams *datagrams = find_datagrams(early_peer, &peer);
	struct query query = { .socket = socket };

	for (int i = 0; datagrams && i < EARLY_TRIES; i++) {
		__u32 number = first_unsent(datagrams);
		enum match match = NOT_KNOWN;
		struct waiting *waiting;
		struct early *early;

		if (number == datagrams->pushed)
			break;
		waiting = find_waiting(datagrams, &peer, number);
		if (!waiting && !comes_before(number, datagrams->holes))
			break;
		early = hold_early(hash_of(&peer), waiting ? waiting->turn.arrival.path.receive_ns : since, &query.before);
		if (!early)
			break;
		if (waiting) {
			query.expected = waiting->read;
			query.tid = early->tid;
			query.follows = early->follows ? FOLLOWS_EARLY : 0;
			match = is_read(&waiting->turn, &query);
		}
		if (match == NOT_READ) {
			release_early(early, 0);
			continue;
		}
		if (!take_number(datagrams, number)) {
			release_early(early, query.before);
			continue;
		}
		if (!waiting)
			waiting = find_waiting(datagrams, &peer, number);
		note_answer(datagrams, early->tid, query.before);
		if (waiting && match == FOUND && take_read(&waiting->turn, &query))
			leave_app_early(&waiting->turn, early);
		else if (waiting)
			waiting->turn.arrival.generation = 0;
		if (waiting && early->packet)
			waiting->turn.queued_ns = query.before;
		if (ends_with_queue(early, number)) {
			release_early(early, 0);
			continue;
		}
		if (early->fate == DROPPED)
			drop_number(&peer, number);
		else
			end_datagram(datagrams, &peer, number, waiting, early->left_ns);
		release_early(early, 0);
	}
	return 0;
}

#endif
