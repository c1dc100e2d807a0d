/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* The begin of a request in a datagram. */
#ifndef TAUT_BEGIN_H
#define TAUT_BEGIN_H

#include "arrivals.h"
#include "datagrams.h"

/* The service may have read and answered it already, when its probes on other CPUs were faster. */
static __always_inline void answer_early(struct datagrams *datagrams, const struct peer *peer, struct waiting *waiting,
					 __u64 socket, __u32 number)
{
	struct turn *turn = &waiting->turn;
	__u64 hash = hash_of(peer);
	struct early *early = early_of(hash);
	struct query query = { .position = waiting->position, .socket = socket, .before = early->ns };
	__u64 ns = query.before;

	if (early->peer != hash || ns <= turn->arrival.path.receive_ns ||
	    __sync_val_compare_and_swap(&early->ns, ns, 0) != ns)
		return;
	switch (match_datagram(turn, &query)) {
	case NOT_READ:
		return;
	case NOT_KNOWN:
		turn->arrival.generation = 0;
	default:
		break;
	}
	if (pop(datagrams, number)) {
		finish_datagram(turn, ns, false);
		forget_waiting(datagrams, peer, number);
	}
}

/* A datagram has come to a socket, whose read is about there. Gives 0. */
__weak __noinline int begin_datagram(const struct incoming *incoming, const struct position *position, __u64 socket)
{
	__u64 now = bpf_ktime_get_ns();
	struct datagrams *datagrams;
	struct waiting *waiting;
	struct turn *turn;
	struct peer peer;
	__u32 number;

	if (!incoming || !position)
		return 0;
	peer = incoming->peer;
	datagrams = keep_datagrams(&peer, now);
	number = datagrams ? push(datagrams) : 0;
	waiting = datagrams && number ? keep_waiting(datagrams, &peer, number) : NULL;
	if (!datagrams || !waiting) {
		COUNT(lost_map_full);
		return 0;
	}
	datagrams->pushed_ns = now;
	turn = &waiting->turn;
	turn->arrival.path = incoming->path;
	turn->arrival.generation = generation_of(hash_of(&peer) >> 32);
	turn->arrival.cpu = incoming->path.receive_ns ? incoming->path.cpu : NO_CPU;
	turn->arrival.ready_ns = now;
	waiting->position = *position;
	__sync_lock_test_and_set(&waiting->number, number);
	/* An answer that came before it could be found has passed it over. */
	if (comes_before(number, datagrams->popped)) {
		forget_waiting(datagrams, &peer, number);
		COUNT(lost_unmatched);
		return 0;
	}
	COUNT(begun);
	answer_early(datagrams, &peer, waiting, socket, number);
	return 0;
}

#endif
