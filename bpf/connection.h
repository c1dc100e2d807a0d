/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * The requests of one connection. What arrives before the reply has left belongs to the next request: so there are
 * two turns, the oldest, whose reply leaves next, and the one after it.
 */
#ifndef TAUT_CONNECTION_H
#define TAUT_CONNECTION_H

#include "finish.h"
#include "stream.h"

/* A turn goes round: nothing yet, payload has arrived, the service has read some, the reply leaves. */
enum turn_state { IDLE, ARRIVED, READ, LEAVING };

/*
 * One word says which turn is the oldest (bit 0), its state (bits 1 and 2) and that of the next (bits 3 and 4).
 * All that changes it holds the socket's lock, but for the packet that a qdisc lets go, on whichever CPU, and it alone
 * takes the oldest from READ to LEAVING and away. So whoever holds the lock may just write the word while the oldest is
 * neither, and has to compare and exchange else.
 */
struct connection {
	struct turn turns[2];
	__u32 phase;
	bool more;	/* the last recv left payload behind */
	bool awaits_ack;
	__u32 copied_seq;	/* of the socket, when it was read last */
	/* Of the last reply that left: */
	__u32 reply_seq;
	__u32 row;	/* of the tail table that counts it */
	__u64 left_ns;
};

STATE_OF_SOCKETS(connections, struct connection, BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, MAX_CONNECTIONS);

static const struct connection no_connection;

/* An exchange fails only if the other side was faster, which it can be twice: LEAVING, then away. */
#define EXCHANGES 4

static __always_inline __u32 oldest_turn(__u32 phase)
{
	return phase & 1;
}

static __always_inline __u32 oldest_state(__u32 phase)
{
	return phase >> 1 & 3;
}

static __always_inline __u32 next_state(__u32 phase)
{
	return phase >> 3 & 3;
}

static __always_inline __u32 make_phase(__u32 turn, __u32 state, __u32 next)
{
	return turn | state << 1 | next << 3;
}

static __always_inline bool exchange_phase(struct connection *conn, __u32 from, __u32 to)
{
	return __sync_val_compare_and_swap(&conn->phase, from, to) == from;
}

/* The oldest turn, which was IDLE or ARRIVED, goes on. */
static __always_inline void advance_oldest(struct connection *conn, __u32 state)
{
	__u32 phase = conn->phase;

	if (oldest_state(phase) == IDLE)
		COUNT(begun);
	conn->phase = make_phase(oldest_turn(phase), state, next_state(phase));
}

/* The turn after the oldest changes its state; meanwhile it may become the oldest. */
static __always_inline void advance_next(struct connection *conn, __u32 turn, __u32 state)
{
	for (int i = 0; i < EXCHANGES; i++) {
		__u32 phase = conn->phase;

		if (oldest_turn(phase) == turn) {
			advance_oldest(conn, state);
			return;
		}
		if (exchange_phase(conn, phase, make_phase(!turn, oldest_state(phase), state)))
			return;
	}
}

/* The oldest turn, if it is still READ, belongs to the caller, who finishes it. */
static __always_inline bool claim_oldest(struct connection *conn, __u32 turn)
{
	for (int i = 0; i < EXCHANGES; i++) {
		__u32 phase = conn->phase;

		if (oldest_turn(phase) != turn || oldest_state(phase) != READ)
			return false;
		if (exchange_phase(conn, phase, make_phase(turn, LEAVING, next_state(phase))))
			return true;
	}
	return false;
}

/* The claimed turn is over: the next one is the oldest now. Payload that was left behind on the socket begins it. */
static __always_inline void leave_oldest(struct connection *conn, __u32 turn, __u32 generation)
{
	for (int i = 0; i < EXCHANGES; i++) {
		__u32 phase = conn->phase, next = next_state(phase);

		if (oldest_state(phase) != LEAVING)
			return;	/* the connection was closed meanwhile */
		if (next == IDLE && conn->more) {
			arrive_unseen(&conn->turns[!turn].arrival, generation, bpf_ktime_get_ns());
			next = ARRIVED;
		}
		if (exchange_phase(conn, phase, make_phase(!turn, next, IDLE))) {
			if (next != IDLE)
				COUNT(begun);
			return;
		}
	}
}

/*
 * When a reply's packet was acknowledged is found out when the next request is read or one side ends the connection: TCP keeps
 * when it sent the packet that was acknowledged last, and how long that took (RACK, RFC 8985), in microseconds.
 */
static __always_inline void count_ack(struct connection *conn, struct tcp_sock *tp)
{
	struct metrics *m = this_metrics();
	__u32 row, bucket;
	__s64 ns;

	if (!conn->awaits_ack || !is_after(READ(tp, rack.end_seq), conn->reply_seq) ||
	    !is_after(READ(tp, snd_una), conn->reply_seq))
		return;
	conn->awaits_ack = false;
	if (!m)
		return;
	ns = (READ(tp, rack.mstamp) + READ(tp, rack.rtt_us)) * 1000 - conn->left_ns;
	/* Both are cut down to a microsecond: on loopback it can end before it began. By more it is not this reply's. */
	if (ns < -2 * 1000)
		return;
	if (ns < 0)
		ns = 0;
	bucket = bucket_of(ns);
	/* Looked at last: of what is put aside meanwhile the verifier of older kernels forgets that it has a bound. */
	row = conn->row;
	barrier_var(row);
	if (row >= N_BUCKETS)
		return;
	/* The end of a connection is told in a softirq, which may interrupt a thread that reads. */
	__sync_fetch_and_add(&m->stage_requests[STAGE_ACK][bucket], 1);
	__sync_fetch_and_add(&m->tail[row].stage_ns[STAGE_ACK], ns);
}

static __always_inline void await_ack(struct connection *conn, struct turn *turn, __u32 row, __u64 now)
{
	conn->awaits_ack = row < N_BUCKETS;
	if (!conn->awaits_ack)
		return;
	conn->reply_seq = turn->reply_seq;
	conn->row = row;
	conn->left_ns = now;
}

#endif
