// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Requests of TCP servers: when payload arrives, is read by the service, and the first packet of the reply goes to the
 * driver. A packet belongs to a reply by its sequence numbers. The handlers run under the socket's lock, but for
 * reply_is_queued, which says how it copes, and for packet_is_sent when a qdisc held the packet.
 */
#include "context.h"
#include "connection.h"
#include "packets.h"
#include "target.h"
#include <bpf/bpf_endian.h>

const volatile __u16 ports[MAX_PORTS] = {};
const volatile __u32 netns = 0;
const volatile bool is_udp = false;

static __always_inline bool is_target(struct sock *sk)
{
	/* Only these states belong to a full socket with a stream in it: no listener, no request socket. */
	return is_service_socket(sk) &&
	       (1u << sk->__sk_common.skc_state &
		(1u << TCP_ESTABLISHED | 1u << TCP_FIN_WAIT1 | 1u << TCP_FIN_WAIT2 | 1u << TCP_CLOSE_WAIT |
		 1u << TCP_LAST_ACK | 1u << TCP_CLOSING)) &&
	       sk->sk_protocol == IPPROTO_TCP;
}

/* Bytes that arrived in order and were not read. A FIN takes one sequence number and is no payload. */
static __always_inline __u32 unread(struct sock *sk, struct tcp_sock *tp)
{
	__u32 bytes = tp->rcv_nxt - tp->copied_seq;

	return bytes && sk->sk_shutdown & RCV_SHUTDOWN ? bytes - 1 : bytes;
}

/*
 * A socket that a thread has locked is in that thread's hands: no softirq takes in its packets or sends them
 * (sock_owned_by_user in include/net/sock.h); the thread does, working off the backlog when it lets go.
 */
static __always_inline bool is_locked(struct sock *sk)
{
	return sk->sk_lock.owned;
}

/* The first bytes of a TCP header, as they are on the wire. */
struct tcp_header {
	__be16 source;
	__be16 dest;
	__be32 seq;
	__be32 ack_seq;
	__u8 data_offset;	/* in its upper half, in words of four bytes */
};

/* Gives the length of the payload too, which ACKs, window probes and a bare FIN do not have. */
static __always_inline bool read_header(struct sk_buff *skb, struct tcp_header *tcp, __u32 *payload)
{
	__u64 start = (__u64)skb->head + skb->transport_header;

	if (bpf_probe_read_kernel(tcp, sizeof(*tcp), (void *)start))
		return false;
	*payload = skb->len - (__u32)(start - (__u64)skb->data) - (tcp->data_offset >> 4) * 4;
	return true;
}

/* Out of the backlog: the way of the packet is known if somebody kept it. */
static __always_inline bool take_backlogged(struct sk_buff *skb, struct packet_path *path)
{
	COUNT(backlogged);
	return keeps_backlog && take_received(skb, path);
}

static __always_inline void arrive(struct arrival *arrival, struct sock *sk, struct sk_buff *skb)
{
	if (!is_locked(sk))
		arrival->path = this_cpu()->packet;
	else if (!take_backlogged(skb, &arrival->path))
		arrival->path = (struct packet_path){};
	arrival->ready_ns = bpf_ktime_get_ns();
	arrival->cpu = bpf_get_smp_processor_id();
}

static __always_inline void begin(struct sock *sk, struct sk_buff *skb)
{
	struct connection *conn;
	__u32 phase, next;

	conn = bpf_sk_storage_get(&connections, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!conn) {
		COUNT(lost_map_full);
		return;
	}
	phase = conn->phase;
	next = !oldest_turn(phase);
	if (oldest_state(phase) == IDLE) {
		arrive(&conn->turns[!next].arrival, sk, skb);
		advance_oldest(conn, ARRIVED);
	} else if (oldest_state(phase) != ARRIVED && next_state(phase) == IDLE) {
		arrive(&conn->turns[next].arrival, sk, skb);
		advance_next(conn, next, ARRIVED);
	}
}

/* The packet is the last on the socket's queue, unless it was joined to what was there. */
SEC("tp_btf/sk_data_ready")
int BPF_PROG(payload_is_ready, struct sock *sk)
{
	struct tcp_sock *tp;

	if (!is_target(sk))
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (tp && !(sk->sk_shutdown & RCV_SHUTDOWN && !unread(sk, tp)))
		begin(sk, sk->sk_receive_queue.prev);
	return 0;
}

/* Stands in for sk_data_ready on older kernels: a packet in order, which is about to be put on the socket's queue. */
SEC("tp_btf/tcp_probe")
int BPF_PROG(payload_arrives, struct sock *sk, struct sk_buff *skb)
{
	struct tcp_header tcp;
	struct tcp_sock *tp;
	__u32 payload;

	if (!is_target(sk) || !read_header(skb, &tcp, &payload) || !payload)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (tp && !is_after(bpf_ntohl(tcp.seq), tp->rcv_nxt) && is_after(bpf_ntohl(tcp.seq) + payload, tp->rcv_nxt))
		begin(sk, skb);
	return 0;
}

static __always_inline void begin_read(struct turn *turn, struct tcp_sock *tp, const struct thread_run *run, __u32 tid,
				       __u64 now)
{
	read_first(turn, run, now);
	read_last(turn, run, tid, now);
	turn->reply_seq = tp->write_seq;
}

/* A call copies packet by packet: the first recv ends with the last of its packets. */
static __always_inline void read_more(struct turn *turn, const struct thread_run *run, __u32 tid, __u64 now)
{
	bool may_tell = follows_syscalls || counts_recvs;

	COUNT(pieces);
	if (may_tell && turn->recvs == run->recvs && turn->recv_off_ns == run->off_ns && turn->reader == tid &&
	    turn->last_ns == turn->first_ns)
		turn->first_ns = now;
	read_last(turn, run, tid, now);
}

/* A softirq that reads on behalf of a thread (kTLS, sockmap): nothing is known of when it was called. */
static const struct thread_run no_thread;

/*
 * Called after each stretch of payload that recv, read, splice and their like have taken off the queue. What is read
 * after the service has written belongs to the next request, also while the reply still waits to be sent.
 */
SEC("tp_btf/tcp_rcv_space_adjust")
int BPF_PROG(payload_was_copied, struct sock *sk)
{
	const struct thread_run *run = &no_thread;
	__u32 phase, next, tid = 0;
	struct connection *conn;
	struct tcp_sock *tp;
	struct turn *turn;
	__u64 now;

	if (!is_target(sk))
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	conn = bpf_sk_storage_get(&connections, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!tp)
		return 0;
	if (!conn) {
		COUNT(lost_map_full);
		return 0;
	}
	if (conn->awaits_ack)
		count_ack(conn, tp);
	now = bpf_ktime_get_ns();
	if (is_locked(sk)) {
		struct cpu_state *cpu = this_cpu();

		if (!cpu->tid)
			adopt_current(cpu, now);
		run = &cpu->run;
		tid = cpu->tid;
	}
	conn->more = unread(sk, tp) != 0;
	phase = conn->phase;
	next = !oldest_turn(phase);
	turn = &conn->turns[!next];
	switch (oldest_state(phase)) {
	case IDLE:
		/*
		 * Nobody saw it arrive: it came before the probes did, or on top of a thread that the machine hides from
		 * tracing, or the kernel left the probe's run out. The request is counted, from here on.
		 */
		arrive_unseen(&turn->arrival, now);
	case ARRIVED:
		begin_read(turn, tp, run, tid, now);
		advance_oldest(conn, READ);
		return 0;
	}
	if (tp->write_seq == turn->reply_seq) {
		read_more(turn, run, tid, now);
		if (!conn->more && next_state(phase) != IDLE)
			advance_next(conn, next, IDLE);	/* what came meanwhile was a part of this request */
		return 0;
	}
	turn = &conn->turns[next];
	switch (next_state(phase)) {
	case IDLE:
		arrive_unseen(&turn->arrival, now);
	case ARRIVED:
		begin_read(turn, tp, run, tid, now);
		advance_next(conn, next, READ);
		break;
	case READ:
		/* Once it is answered as well, all that follows before the oldest's reply has left is a part of it. */
		if (tp->write_seq == turn->reply_seq)
			read_more(turn, run, tid, now);
	}
	return 0;
}

/* In a tunnel's packet the header in hand is another. */
static __always_inline bool find_payload(struct sk_buff *skb, struct sock *sk, __u32 *end)
{
	struct tcp_header tcp;
	__u32 payload;

	if (!read_header(skb, &tcp, &payload))
		return false;
	*end = bpf_ntohl(tcp.seq) + payload;
	return payload && bpf_ntohs(tcp.source) == sk->__sk_common.skc_num;
}

/* Is this the service's own call that sends the reply, or had the reply to wait, for an ACK or for the qdisc? */
static __always_inline bool is_sending(struct turn *turn, struct sock *sk, struct cpu_state *cpu)
{
	return is_locked(sk) && may_be_sending(turn, cpu);
}

/* One packet can carry the replies of both turns. */
SEC("tp_btf/net_dev_start_xmit")
int BPF_PROG(packet_is_sent, struct sk_buff *skb)
{
	struct sock *sk = skb->sk;
	struct connection *conn;
	__u32 end, row;
	__u64 now;

	if (!sk || !is_target(sk))
		return 0;
	conn = bpf_sk_storage_get(&connections, sk, NULL, 0);
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
		leave_oldest(conn, oldest_turn(phase));
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

SEC("tp_btf/qdisc_enqueue")
int BPF_PROG(packet_is_enqueued, struct Qdisc *qdisc, const struct netdev_queue *txq, struct sk_buff *skb)
{
	struct sock *sk = skb->sk;
	struct connection *conn;
	struct turn *oldest, *next;
	__u32 phase, end;

	if (!sk || !is_target(sk))
		return 0;
	conn = bpf_sk_storage_get(&connections, sk, NULL, 0);
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
SEC("tp_btf/sock_send_length")
int BPF_PROG(reply_is_queued, struct sock *sk, int ret)
{
	struct cpu_state *cpu = this_cpu();
	struct connection *conn;
	struct tcp_sock *tp;
	__u32 phase;

	if (ret <= 0 || !cpu->tid || !is_target(sk))
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	conn = bpf_sk_storage_get(&connections, sk, NULL, 0);
	if (!tp || !conn)
		return 0;
	phase = conn->phase;
	for (__u32 i = 0; i < 2; i++) {
		struct turn *turn = &conn->turns[i];
		__u32 state = i == oldest_turn(phase) ? oldest_state(phase) : next_state(phase);

		if (state == READ && tp->write_seq != turn->reply_seq && may_be_sending(turn, cpu)) {
			leave_app(turn, cpu);
			COUNT(held_back);
		}
	}
	return 0;
}

/* The port may be gone from a closing socket, so the filter is the connection's state itself. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(connection_changes, struct sock *sk, int oldstate, int newstate)
{
	struct connection *conn;
	__u32 state;

	if (newstate != TCP_CLOSE || sk->sk_protocol != IPPROTO_TCP || oldstate == TCP_LISTEN)
		return 0;
	conn = bpf_sk_storage_get(&connections, sk, NULL, 0);
	if (!conn)
		return 0;
	state = oldest_state(__sync_lock_test_and_set(&conn->phase, 0));
	if (state == IDLE || state == LEAVING)
		return 0;
	COUNT(unanswered);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
