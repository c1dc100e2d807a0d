/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* The requests of UDP's peers that are not answered yet. */
#ifndef TAUT_DATAGRAMS_H
#define TAUT_DATAGRAMS_H

#include "finish.h"
#include "peer.h"
#include "reads.h"

#define MAX_PEERS 8192
/* Of one peer. */
#define MAX_WAITING 128
/* Of these, kept with the peer; and of all peers, kept elsewhere. */
#define MAX_NEAR 2
#define MAX_FAR 4096
/* An older one is given up when there are later ones. */
#define ANSWER_NS 1000000000ULL
/* So many answers to a peer may leave the queues of an interface before an older one does; then nobody was told of that. */
#define MAX_PASSED 8
/* A peer that has waited for so long is forgotten when another one needs the room. */
#define FORGET_NS 5000000000ULL

struct waiting {
	struct turn turn;
	__u32 read;		/* is expected to have this number */
	__u32 open;		/* its number, until it is answered or given up; who sets it has the place */
	__u32 number;		/* written last; 0: none */
};

/*
 * A peer's datagrams have numbers from 1 on. Those from `popped` to `pushed` wait for their answers; of these, answers to
 * those before `queued` are on their way, or were, and those before `passed` have left or were passed. A number
 * without a datagram is one that there was no room for, as its answer is nobody else's; or it was answered before its turn.
 */
struct datagrams {
	__u32 pushed;
	__u32 popped;
	__u32 queued;
	__u32 passed;
	__u32 holes;		/* before it, what can't be found had no room; from it on, its begin is at work */
	__u32 marked;		/* what `holes` was at `marked_ns` */
	__u32 over;		/* holes before it are a second old at least */
	__u64 marked_ns;
	__u64 full_ns;		/* the last time that there was no room */
	__u64 pushed_ns;
	__u64 answered_ns;	/* when the last answer left the service */
	__u32 answerer;		/* ... by this thread; 0: not known */
	struct waiting near[MAX_NEAR];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_PEERS);
	__type(key, struct peer);
	__type(value, struct datagrams);
} peers SEC(".maps") __weak;

static const struct datagrams no_datagrams = {
	.pushed = 1,
	.popped = 1,
	.queued = 1,
	.passed = 1,
	.holes = 1,
	.marked = 1,
	.over = 1,
};

struct place {
	struct peer peer;
	__u64 number;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_FAR);
	__type(key, struct place);
	__type(value, struct waiting);
} far SEC(".maps") __weak;

static const struct waiting no_waiting;

/* In the order in which they came; whose turn it is has to make room, if it can. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_PEERS);
	__type(key, __u32);
	__type(value, struct peer);
} order SEC(".maps") __weak;

__u32 hand __weak = 0;

static __always_inline struct waiting *near_place(struct datagrams *datagrams, __u32 number)
{
	return &datagrams->near[number % MAX_NEAR];
}

/* NULL where there was no room for it, or it is not all written yet. */
static __always_inline struct waiting *find_waiting(struct datagrams *datagrams, const struct peer *peer, __u32 number)
{
	struct waiting *waiting = near_place(datagrams, number);
	struct place place = { .peer = *peer, .number = number };

	if (waiting->number == number && number)
		return waiting;
	waiting = bpf_map_lookup_elem(&far, &place);
	return waiting && waiting->number == number ? waiting : NULL;
}

/* False if it was not kept. */
static __always_inline bool forget_waiting(struct datagrams *datagrams, const struct peer *peer, __u32 number)
{
	struct waiting *near = near_place(datagrams, number);
	struct place place = { .peer = *peer, .number = number };

	if (near->number != number)
		return !bpf_map_delete_elem(&far, &place);
	/* An exchange: from here on it is another datagram's. */
	__sync_lock_test_and_set(&near->number, 0);
	return true;
}

/* False if somebody else was faster. */
static __always_inline bool pop(struct datagrams *datagrams, __u32 number)
{
	return __sync_val_compare_and_swap(&datagrams->popped, number, number + 1) == number;
}

/* Moves a boundary between numbers onward; not back, which somebody on another CPU may be about to. */
static __always_inline void advance(__u32 *boundary, __u32 to)
{
	for (int i = 0; i < 4; i++) {
		__u32 from = *boundary;

		if (!comes_before(from, to) || __sync_val_compare_and_swap(boundary, from, to) == from)
			return;
	}
}

/*
 * A datagram is over: the oldest as a rule; or else one that older ones are behind, in the queue of an interface, unless
 * nobody was told that they left it. Also where there is no queue, so that these numbers are never half of all behind.
 */
static __always_inline void pass(struct datagrams *datagrams, __u32 number)
{
	pop(datagrams, number);
	advance(&datagrams->queued, number + 1);
	advance(&datagrams->passed, number + 1);
}

/* Whoever may end a datagram's request: false if somebody else was faster. */
static __always_inline bool claim_waiting(struct waiting *waiting, __u32 number)
{
	return __sync_val_compare_and_swap(&waiting->open, number, 0) == number;
}

static __always_inline void give_up(struct datagrams *datagrams, const struct peer *peer, __u32 number)
{
	struct waiting *waiting = find_waiting(datagrams, peer, number);

	if (waiting && claim_waiting(waiting, number) && forget_waiting(datagrams, peer, number))
		COUNT(unanswered);
}

/* There was no room for this one. */
static __noinline void note_hole(struct datagrams *datagrams, __u32 number, __u64 now)
{
	__u64 marked_ns = datagrams->marked_ns;

	if ((__s64)(now - marked_ns) >= (__s64)ANSWER_NS &&
	    __sync_val_compare_and_swap(&datagrams->marked_ns, marked_ns, now) == marked_ns) {
		datagrams->over = datagrams->marked;
		datagrams->marked = datagrams->holes;
	}
	datagrams->full_ns = now;
	advance(&datagrams->holes, number + 1);
}

/* So that these numbers, too, are never half of all behind. */
static __noinline void follow_holes(struct datagrams *datagrams, __u32 number)
{
	advance(&datagrams->over, number - (1U << 29));
	advance(&datagrams->marked, number - (1U << 29));
	advance(&datagrams->holes, number - (1U << 29));
}

/*
 * When each hole came is not kept; only which there were a second ago, as a peer may never be without any, and when the last one
 * came.
 */
static __always_inline bool is_old_hole(const struct datagrams *datagrams, __u32 number, __u64 now)
{
	return comes_before(number, datagrams->over) ||
	       (comes_before(number, datagrams->holes) && (__s64)(now - datagrams->full_ns) >= (__s64)ANSWER_NS);
}

/*
 * Is it of no use to wait any longer for the answer to a peer's oldest? What is not there has been answered or given up before its
 * turn, or there was no room for it, and its answer has entered a queue or does not come; or its begin is at work.
 */
static __always_inline bool is_over(struct datagrams *datagrams, const struct peer *peer, __u32 number, __u64 now)
{
	struct waiting *waiting = find_waiting(datagrams, peer, number);

	if (!waiting)
		return comes_before(number, datagrams->queued) || is_old_hole(datagrams, number, now);
	if (comes_before(number, datagrams->passed) && datagrams->passed - number > MAX_PASSED)
		return true;
	/* It may have come a moment later, on another CPU. */
	return datagrams->pushed - number >= 2 && (__s64)(now - waiting->turn.arrival.ready_ns) >= (__s64)ANSWER_NS;
}

/* For what gets a pointer to the peer: older kernels take no key from anywhere but the stack. NULL where the peer is not known. */
static __always_inline struct datagrams *find_datagrams(const struct peer *whose, struct peer *peer)
{
	if (!whose)
		return NULL;
	*peer = *whose;
	return bpf_map_lookup_elem(&peers, peer);
}

/* Gives up a peer's oldest, as long as they are old and there are later ones, or their answers are lost. Gives 0. */
__weak __noinline int give_up_old(const struct peer *whose, __u64 now)
{
	struct peer peer;
	struct datagrams *datagrams = find_datagrams(whose, &peer);

	for (int i = 0; datagrams && i < MAX_WAITING; i++) {
		__u32 popped = datagrams->popped;

		if (popped == datagrams->pushed || !is_over(datagrams, &peer, popped, now))
			break;
		if (pop(datagrams, popped))
			give_up(datagrams, &peer, popped);
	}
	return 0;
}

/* Of those whose answers are not on their way, the first; `pushed` when there is none. */
static __always_inline __u32 first_unsent(const struct datagrams *datagrams)
{
	__u32 popped = datagrams->popped, queued = datagrams->queued;

	return comes_before(popped, queued) ? queued : popped;
}

/* The same of those that are worth waiting for. */
static __always_inline __u32 find_unsent(struct datagrams *datagrams, const struct peer *peer, __u64 now)
{
	__u32 popped = datagrams->popped;

	if ((datagrams->pushed - popped >= 2 || comes_before(popped, datagrams->queued)) &&
	    is_over(datagrams, peer, popped, now))
		give_up_old(peer, now);
	return first_unsent(datagrams);
}

/* Whoever has its answer. False if somebody else was faster. */
static __always_inline bool take_number(struct datagrams *datagrams, __u32 number)
{
	__u32 queued = datagrams->queued;

	return !comes_before(number, queued) && __sync_val_compare_and_swap(&datagrams->queued, queued, number + 1) == queued;
}

/*
 * An answer that never leaves: it passes none of those that are still in a queue. Where a peer was forgotten, its former numbers may
 * come out of queues. Gives 0.
 */
__weak __noinline int drop_number(const struct peer *whose, __u32 number)
{
	struct peer peer;
	struct datagrams *datagrams = find_datagrams(whose, &peer);

	if (!datagrams || !comes_before(number, datagrams->pushed))
		return 0;
	give_up(datagrams, &peer, number);
	if (pop(datagrams, number))
		advance(&datagrams->passed, number + 1);
	advance(&datagrams->queued, number + 1);
	return 0;
}

/* No datagram gets a number any more from a peer that is closed: who finds it looks it up again. */
static __always_inline bool is_closed(__u32 pushed, __u32 popped)
{
	return pushed - popped > 1U << 30;
}

/* Forgets a peer that has waited for too long, or for nothing. False if it has to stay. */
__weak __noinline int forget_peer(const struct peer *whose, __u64 now)
{
	struct datagrams *datagrams;
	__u32 pushed, popped;
	struct peer peer;

	if (!whose)
		return false;
	peer = *whose;
	datagrams = bpf_map_lookup_elem(&peers, &peer);
	if (!datagrams)
		return true;
	pushed = datagrams->pushed;
	popped = datagrams->popped;
	if (pushed != popped) {
		if (now - datagrams->pushed_ns < FORGET_NS ||
		    __sync_val_compare_and_swap(&datagrams->popped, popped, pushed) != popped)
			return false;
		for (__u32 i = 0; i < MAX_WAITING && popped + i != pushed; i++)
			give_up(datagrams, &peer, popped + i);
	}
	if (__sync_val_compare_and_swap(&datagrams->pushed, pushed, pushed + (1U << 31)) != pushed)
		return false;
	bpf_map_delete_elem(&peers, &peer);
	return true;
}

/* Whoever has this place in the order goes, if that is possible. */
static __always_inline bool take_place(const struct peer *peer, __u64 now)
{
	__u32 turn = __sync_fetch_and_add(&hand, 1) % MAX_PEERS;
	struct peer *place = bpf_map_lookup_elem(&order, &turn), last;

	if (!place)
		return false;
	last = *place;
	if (last.version && !forget_peer(&last, now))
		return false;
	*place = *peer;
	return true;
}

/* NULL when there is no room. */
static __always_inline struct datagrams *keep_datagrams(const struct peer *peer, __u64 now)
{
	struct datagrams *datagrams = bpf_map_lookup_elem(&peers, peer);

	for (int i = 0; i < 4 && !datagrams; i++) {
		if (!take_place(peer, now))
			continue;
		bpf_map_update_elem(&peers, peer, &no_datagrams, BPF_NOEXIST);
		datagrams = bpf_map_lookup_elem(&peers, peer);
	}
	return datagrams;
}

/* Gives the number of the peer's next datagram. False if it was forgotten in this very moment, or much is going on. */
static __always_inline bool push(struct datagrams *datagrams, __u32 *pushed)
{
	for (int i = 0; i < 8; i++) {
		__u32 number = datagrams->pushed;

		if (is_closed(number, datagrams->popped))
			return false;
		*pushed = number;
		if (__sync_val_compare_and_swap(&datagrams->pushed, number, number + 1) == number)
			return true;
	}
	return false;
}

/* Gives where a datagram that has a number is to be kept, NULL when there is no room. */
static __always_inline struct waiting *keep_waiting(struct datagrams *datagrams, const struct peer *peer, __u32 number)
{
	struct waiting *near = near_place(datagrams, number);
	struct place place = { .peer = *peer, .number = number };
	struct waiting *waiting;

	/* 0 is what an empty place has. */
	if (number - datagrams->popped >= MAX_WAITING || !number)
		return NULL;
	if (!near->number && !__sync_val_compare_and_swap(&near->open, 0, number))
		return near;
	bpf_map_update_elem(&far, &place, &no_waiting, BPF_NOEXIST);
	waiting = bpf_map_lookup_elem(&far, &place);
	if (waiting)
		waiting->open = number;
	return waiting;
}

/*
 * An answer can be several datagrams, and ends the request with its first. What a thread that reads sends to a peer that it has
 * answered is more of that answer, as far as it has read nothing since.
 */
static __always_inline bool follows_answer(const struct datagrams *datagrams, __u32 tid, __u64 read_ns)
{
	return read_ns && datagrams->answerer == tid && read_ns <= datagrams->answered_ns;
}

static __always_inline void note_answer(struct datagrams *datagrams, __u32 tid, __u64 now)
{
	if (!tid)
		return;
	datagrams->answerer = tid;
	datagrams->answered_ns = now;
}

/* Gives 0. */
__weak __noinline int finish_datagram(struct turn *turn, __u64 now, int pipelined)
{
	if (turn)
		finish(turn, now, pipelined);
	return 0;
}

/*
 * The answer to a peer's datagram has left; its oldest, as a rule. Nothing else ends where somebody else was faster, or there was no
 * room for the datagram.
 */
static __always_inline void end_datagram(struct datagrams *datagrams, const struct peer *peer, __u32 number,
					 struct waiting *waiting, __u64 now)
{
	pass(datagrams, number);
	if (!waiting || !claim_waiting(waiting, number))
		return;
	finish_datagram(&waiting->turn, now, datagrams->pushed != number + 1);
	forget_waiting(datagrams, peer, number);
}

#endif
