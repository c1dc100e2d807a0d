// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Requests of TCP servers: when payload arrives, is read by the service, and the first packet of the reply goes to the
 * driver. A packet belongs to a reply by its sequence numbers. The handlers run under the socket's lock, but for
 * reply_is_queued, which says how it copes, and for packet_is_sent when a qdisc held the packet.
 */
#include "connection.h"
#include "lost.h"
#include "stream.h"
#include "target.h"

const volatile __u16 ports[MAX_PORTS] = {};
const volatile __u32 netns = 0;
const volatile bool is_udp = false;

static __always_inline bool is_target(struct sock *sk)
{
	return is_service_socket(sk) && is_stream(sk);
}

static __always_inline void begin(struct sock *sk, struct tcp_sock *tp, struct sk_buff *skb)
{
	struct connection *conn;
	__u32 phase, next;

	conn = KEEP_OF_SOCKET(connections, sk, no_connection);
	if (!conn) {
		lose_request(hash_of(sk), READ(tp, write_seq));
		return;
	}
	phase = conn->phase;
	next = !oldest_turn(phase);
	if (oldest_state(phase) == IDLE) {
		/* There is room now, but this is the rest of a request that there was none for. */
		if (is_lost(hash_of(sk), READ(tp, write_seq)))
			return;
		arrive(&conn->turns[!next].arrival, sk, skb);
		advance_oldest(conn, ARRIVED);
	} else if (oldest_state(phase) != ARRIVED && next_state(phase) == IDLE) {
		arrive(&conn->turns[next].arrival, sk, skb);
		advance_next(conn, next, ARRIVED);
	}
}

/* The packet is the last on the socket's queue, unless it was joined to what was there. */
TRACEPOINT(sk_data_ready)
int TIMED_PROG(payload_is_ready, struct sock *sk)
{
	struct tcp_sock *tp;

	if (!is_target(sk))
		return 0;
	tp = tcp_of(sk);
	if (tp && !is_bare_end(sk, tp))
		begin(sk, tp, READ(sk, sk_receive_queue.prev));
	return 0;
}

/* Stands in for sk_data_ready on older kernels: a packet in order, which is about to be put on the socket's queue. */
TRACEPOINT(tcp_probe)
int TIMED_PROG(payload_arrives, struct sock *sk, struct sk_buff *skb)
{
	struct tcp_sock *tp;

	if (!is_target(sk))
		return 0;
	tp = tcp_of(sk);
	if (tp && brings_payload(skb, tp))
		begin(sk, tp, skb);
	return 0;
}

/* A read: by whom and when, if the connection is followed in depth. */
struct reading {
	const struct thread_run *run;
	__u64 now;
	__u32 tid;
	__u32 generation;
};

static __always_inline struct reading describe_reading(struct sock *sk)
{
	struct reading reading = { .run = &no_thread, .generation = generation_of(hash_of(sk)) };

	if (reading.generation) {
		reading.now = bpf_ktime_get_ns();
		reading.run = find_thread(sk, reading.now, &reading.tid);
	}
	return reading;
}

static __always_inline void begin_read(struct turn *turn, struct tcp_sock *tp, const struct reading *reading)
{
	turn->reply_seq = READ(tp, write_seq);
	if (!reading->generation) {
		turn->arrival.generation = 0;
		return;
	}
	read_first(turn, reading->run, reading->now);
	read_last(turn, reading->run, reading->tid, reading->now);
}

static __always_inline void go_on_reading(struct turn *turn, const struct reading *reading)
{
	if (reading->generation)
		read_more(turn, reading->run, reading->tid, reading->now);
	else
		turn->arrival.generation = 0;
}

/* Nobody saw the payload arrive that is read now. */
static __always_inline void begin_unseen(struct turn *turn, const struct reading *reading)
{
	arrive_unseen(&turn->arrival, reading->generation, reading->now ?: bpf_ktime_get_ns());
}

/*
 * Called after each stretch of payload that recv, read, splice and their like have taken off the queue. What is read
 * after the service has written belongs to the next request, also while the reply still waits to be sent.
 */
TRACEPOINT(tcp_rcv_space_adjust)
int TIMED_PROG(payload_was_copied, struct sock *sk)
{
	struct connection *conn;
	struct reading reading;
	struct tcp_sock *tp;
	struct turn *turn;
	__u32 phase, next;

	if (!is_target(sk))
		return 0;
	tp = tcp_of(sk);
	conn = KEEP_OF_SOCKET(connections, sk, no_connection);
	if (!tp)
		return 0;
	if (!conn) {
		lose_request(hash_of(sk), READ(tp, write_seq));
		return 0;
	}
	if (!has_read(sk, tp, &conn->copied_seq))
		return 0;
	if (conn->awaits_ack)
		count_ack(conn, tp);
	reading = describe_reading(sk);
	conn->more = unread(sk, tp) != 0;
	phase = conn->phase;
	next = !oldest_turn(phase);
	turn = &conn->turns[!next];
	switch (oldest_state(phase)) {
	case IDLE:
		if (is_lost(hash_of(sk), READ(tp, write_seq)))
			return 0;
		/*
		 * Nobody saw it arrive: it came before the probes did, or on top of a thread that the machine hides from
		 * tracing, or the kernel left the probe's run out. The request is counted, from here on.
		 */
		begin_unseen(turn, &reading);
	case ARRIVED:
		begin_read(turn, tp, &reading);
		advance_oldest(conn, READ);
		return 0;
	}
	if (READ(tp, write_seq) == turn->reply_seq) {
		go_on_reading(turn, &reading);
		if (!conn->more && next_state(phase) != IDLE)
			advance_next(conn, next, IDLE);	/* what came meanwhile was a part of this request */
		return 0;
	}
	turn = &conn->turns[next];
	switch (next_state(phase)) {
	case IDLE:
		begin_unseen(turn, &reading);
	case ARRIVED:
		begin_read(turn, tp, &reading);
		advance_next(conn, next, READ);
		break;
	case READ:
		/* Once it is answered as well, all that follows before the oldest's reply has left is a part of it. */
		if (READ(tp, write_seq) == turn->reply_seq)
			go_on_reading(turn, &reading);
	}
	return 0;
}

/* Is this the service's own call that sends the reply, or had the reply to wait, for an ACK or for the qdisc? */
static __always_inline bool is_sending(struct turn *turn, struct sock *sk, struct cpu_state *cpu)
{
	return is_deep(turn) && is_locked(sk) && may_be_sending(turn, cpu);
}

/* One packet can carry the replies of both turns. */
TRACEPOINT(net_dev_start_xmit)
int TIMED_PROG(packet_is_sent, struct sk_buff *skb)
{
	struct sock *sk = READ(skb, sk);
	struct connection *conn;
	__u32 end, row;
	__u64 now;

	if (!sk || !is_target(sk))
		return 0;
	conn = FIND_OF_SOCKET(connections, sk);
	if (!conn || oldest_state(conn->phase) != READ || !find_payload(skb, sk, &end))
		return 0;
	for (int i = 0; i < 2; i++) {
		__u32 phase = conn->phase;
		struct turn *turn = &conn->turns[oldest_turn(phase)];
		struct cpu_state *cpu = this_cpu();

		if (oldest_state(phase) != READ || !is_after(end, turn->reply_seq) ||
		    !claim_oldest(conn, oldest_turn(phase)))
			return 0;
		if (next_state(phase) != READ && is_sending(turn, sk, cpu))
			leave_app(turn, cpu);
		now = bpf_ktime_get_ns();
		row = finish(turn, now, conn->more || next_state(phase) != IDLE);
		await_ack(conn, turn, row, now);
		leave_oldest(conn, oldest_turn(phase), generation_of(hash_of(sk)));
	}
	return 0;
}

static __always_inline void enqueue_reply(struct turn *turn, bool may_send, struct sock *sk)
{
	struct cpu_state *cpu = this_cpu();

	if (may_send && is_sending(turn, sk, cpu))
		leave_app(turn, cpu);
	turn->queued_ns = bpf_ktime_get_ns();
}

TRACEPOINT(qdisc_enqueue)
int TIMED_PROG(packet_is_enqueued, struct Qdisc *qdisc, const struct netdev_queue *txq, struct sk_buff *skb)
{
	struct sock *sk = READ(skb, sk);
	struct connection *conn;
	struct turn *oldest, *next;
	__u32 phase, end;

	if (!sk || !is_target(sk))
		return 0;
	conn = FIND_OF_SOCKET(connections, sk);
	if (!conn)
		return 0;
	phase = conn->phase;
	if (oldest_state(phase) != READ || !find_payload(skb, sk, &end))
		return 0;
	oldest = &conn->turns[oldest_turn(phase)];
	next = &conn->turns[!oldest_turn(phase)];
	if (!oldest->queued_ns && is_after(end, oldest->reply_seq))
		enqueue_reply(oldest, next_state(phase) != READ, sk);
	if (next_state(phase) == READ && !next->queued_ns && is_after(end, next->reply_seq))
		enqueue_reply(next, true, sk);
	return 0;
}

/*
 * The end of a send call: keeps when it was made, for a reply that TCP has to hold back (Nagle, congestion window).
 * The socket is unlocked here; if the reply leaves on another CPU in this very moment, the request is complete without
 * a send stage.
 */
TRACEPOINT(sock_send_length)
int TIMED_PROG(reply_is_queued, struct sock *sk, int ret)
{
	struct cpu_state *cpu = this_cpu();
	struct connection *conn;
	struct tcp_sock *tp;
	__u32 phase;

	if (ret <= 0 || !cpu->tid || !is_target(sk))
		return 0;
	tp = tcp_of(sk);
	conn = FIND_OF_SOCKET(connections, sk);
	if (!tp || !conn)
		return 0;
	phase = conn->phase;
	for (__u32 i = 0; i < 2; i++) {
		struct turn *turn = &conn->turns[i];
		__u32 state = i == oldest_turn(phase) ? oldest_state(phase) : next_state(phase);

		if (state == READ && is_deep(turn) && READ(tp, write_seq) != turn->reply_seq && may_be_sending(turn, cpu)) {
			leave_app(turn, cpu);
			COUNT(held_back);
		}
	}
	return 0;
}

/* The port may be gone from a closing socket, so the filter is the connection's state itself. */
TRACEPOINT(inet_sock_set_state)
int TIMED_PROG(connection_changes, struct sock *sk, int oldstate, int newstate)
{
	struct connection *conn;
	__u32 state;

	if (newstate == TCP_ESTABLISHED)
		FORGET_SOCKET(connections, sk);	/* if nobody saw an earlier one at this address end */
	if ((newstate != TCP_CLOSE && oldstate != TCP_ESTABLISHED) || READ(sk, sk_protocol) != IPPROTO_TCP ||
	    oldstate == TCP_LISTEN)
		return 0;
	conn = FIND_OF_SOCKET(connections, sk);
	if (!conn)
		return 0;
	/* No next request will be read. Later, what was acknowledged last may be the connection's end and not the reply. */
	if (oldstate == TCP_ESTABLISHED && conn->awaits_ack) {
		struct tcp_sock *tp = tcp_of(sk);

		if (tp)
			count_ack(conn, tp);
	}
	if (newstate != TCP_CLOSE)
		return 0;
	state = oldest_state(__sync_lock_test_and_set(&conn->phase, 0));
	if (state != IDLE && state != LEAVING)
		COUNT(unanswered);
	FORGET_SOCKET(connections, sk);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
