/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* The begin of a request in a datagram. */
#ifndef TAUT_BEGIN_H
#define TAUT_BEGIN_H

#include "arrivals.h"
#include "datagrams.h"
#include "early.h"

/* A datagram has come to a socket, whose read is expected to have that number. Gives 0. */
__weak __noinline int begin_datagram(const struct incoming *incoming, __u64 socket, __u32 read)
{
	__u64 now = bpf_ktime_get_ns();
	struct datagrams *datagrams;
	struct waiting *waiting;
	struct turn *turn;
	struct peer peer;
	__u32 number;
	__u64 hash;

	if (!incoming)
		return 0;
	peer = incoming->peer;
	datagrams = keep_datagrams(&peer, now);
	if (!datagrams) {
		COUNT(lost_map_full);
		return 0;
	}
	/* So that nobody forgets it meanwhile. */
	datagrams->pushed_ns = now;
	if (!push(datagrams, &number)) {
		COUNT(lost_map_full);
		return 0;
	}
	if (number - datagrams->over > 1U << 30)
		follow_holes(datagrams, number);
	if (number - datagrams->popped >= MAX_WAITING)
		give_up_old(&peer, now);
	waiting = keep_waiting(datagrams, &peer, number);
	hash = hash_of(&peer);
	if (!waiting) {
		COUNT(lost_map_full);
		note_hole(datagrams, number, now);
		if (has_early(hash))
			answer_early(&peer, socket, incoming->path.receive_ns);
		return 0;
	}
	turn = &waiting->turn;
	turn->arrival.path = incoming->path;
	turn->arrival.generation = generation_of(hash >> 32);
	turn->arrival.cpu = incoming->path.receive_ns ? incoming->path.cpu : NO_CPU;
	turn->arrival.ready_ns = now;
	waiting->read = read;
	__sync_lock_test_and_set(&waiting->number, number);
	COUNT(begun);
	/* It may have been taken for a hole meanwhile. */
	if (comes_before(number, datagrams->holes) && comes_before(number, first_unsent(datagrams)))
		drop_number(&peer, number);
	if (has_early(hash))
		answer_early(&peer, socket, now);
	return 0;
}

#endif
