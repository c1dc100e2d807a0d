// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Requests of TCP clients, the mirror image of a server's: from the call that sends the request to the end of the call
 * that has read the reply. All that is sent before a reply is read, and all that is read before the next request is
 * sent, belongs to one request: so it is counted when the next one begins, when the connection closes, or when user space
 * has done with measuring. The handlers run under the socket's lock, but for a packet that a qdisc held.
 */
#include "clients.h"
#include "lost.h"
#include "stream.h"
#include "target.h"

/* A request goes round: nothing yet, sent, its reply has arrived, the client has read some of that. */
enum exchange_state { NONE, SENT, ANSWERED, TAKEN };

struct exchange {
	struct turn turn;	/* as far as it tells of the reply's arrival and its reading */
	__u64 entry_ns;		/* the call that sends */
	__u64 queued_ns;	/* 0: went past the qdisc */
	__u64 sent_ns;		/* the first packet goes to the driver; 0: not seen */
	__u32 request_seq;	/* the request's first byte has this sequence number */
	__u32 sent_end;		/* behind the last byte that was seen leaving */
	__u32 send_cpu;
	__u32 copied_seq;	/* of the socket, when it was read last */
	__u32 state;
	bool pipelined;
};

STATE_OF_SOCKETS(exchanges, struct exchange, BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, MAX_CONNECTIONS);

static const struct exchange no_exchange;

/*
 * Where a request's stages are put together: when a thread sends the next one, when a connection closes, on top of that
 * perhaps, and when user space asks.
 */
enum finisher { BY_SEND, BY_CLOSE, BY_USER, N_FINISHERS };
struct stages finished[MAX_CPUS][N_FINISHERS];

/*
 * Set by user space when it has done with measuring: from then on nothing changes. One handler after the other is detached
 * then, and the last would take the reply to a request that the first has not seen for a part of the one before.
 */
__u32 has_ended = 0;

static __always_inline bool is_target(struct sock *sk)
{
	return has_target_port(sk, bpf_ntohs(READ(sk, __sk_common.skc_dport))) && sends_to_remote(sk) && is_stream(sk) &&
	       !has_ended;
}

/* What the reply's packet went through before the request had left, like its softirq's begin, is none of the request's. */
static __always_inline void begin_after(struct packet_path *path, __u64 left)
{
	if (path->irq_ns < left)
		path->irq_ns = 0;
	if (path->softirq_ns && path->softirq_ns < left)
		path->softirq_ns = left;
	if (path->handed_ns && path->handed_ns < left)
		path->handed_ns = left;
	if (path->receive_ns && path->receive_ns < left)
		path->receive_ns = left;
}

static __always_inline void finish_exchange(struct exchange *exchange, enum finisher finisher)
{
	struct metrics *m = this_metrics();
	struct turn *turn = &exchange->turn;
	struct stages *stages = &finished[bpf_get_smp_processor_id() & (MAX_CPUS - 1)][finisher];
	struct whole whole = {
		.end_ns = turn->last_ns,
		.total_ns = turn->last_ns - exchange->entry_ns,
		.send_cpu = exchange->send_cpu,
		.pipelined = exchange->pipelined,
		.interrupted = true,
	};
	__u64 cursor = exchange->entry_ns, sent = exchange->sent_ns;

	if (!m)
		return;
	if (!is_deep(turn)) {
		count_total(m, &whole);
		return;
	}
	stages->mask = 0;
	if (sent) {
		END_STAGE(STAGE_SEND, exchange->queued_ns ?: sent);
		if (exchange->queued_ns)
			END_STAGE(STAGE_QDISC, sent);
	}
	begin_after(&turn->arrival.path, cursor);
	END_STAGE(STAGE_PEER, begin_of(&turn->arrival));
	if (!end_reading(turn, stages, cursor))
		goto negative;
	count_request(m, turn, stages, &whole);
	return;
negative:
	__sync_fetch_and_add(&m->lost_clock, 1);
}

static __always_inline void begin_exchange(struct exchange *exchange, struct sock *sk, struct tcp_sock *tp, __u32 seq,
					   __u64 entry)
{
	switch (exchange->state) {
	case SENT:
		return;		/* more of the same request */
	case ANSWERED:
		exchange->pipelined = true;
		return;
	case TAKEN:
		finish_exchange(exchange, BY_SEND);
		break;
	case NONE:
		/* There is room now, but this is the rest of a request that there was none for. */
		if (is_lost(hash_of(sk), READ(tp, copied_seq)))
			return;
	}
	exchange->entry_ns = entry;
	exchange->queued_ns = 0;
	exchange->sent_ns = 0;
	exchange->request_seq = seq;
	exchange->send_cpu = bpf_get_smp_processor_id();
	/* What is left of an earlier reply will be taken for this one's. */
	exchange->pipelined = unread(sk, tp) != 0;
	exchange->state = SENT;
	COUNT(begun);
}

static __always_inline struct exchange *keep_exchange(struct sock *sk, struct tcp_sock *tp)
{
	struct exchange *exchange = KEEP_OF_SOCKET(exchanges, sk, no_exchange);

	if (!exchange)
		lose_request(hash_of(sk), READ(tp, copied_seq));
	return exchange;
}

/* Another process sends on a socket that was a chosen one's: what follows is none of that one's request. */
static __always_inline void end_exchange(struct sock *sk)
{
	struct exchange *exchange = FIND_OF_SOCKET(exchanges, sk);

	if (exchange && exchange->state == TAKEN) {
		exchange->state = NONE;
		finish_exchange(exchange, BY_SEND);
	}
}

/* Copies the request from user space, piece by piece. */
TRACEPOINT(tcp_sendmsg_locked)
int TIMED_PROG(request_is_written, struct sock *sk, struct msghdr *msg)
{
	struct cpu_state *cpu = this_cpu();
	struct exchange *exchange;
	struct tcp_sock *tp;
	__u64 now;

	if (!is_target(sk))
		return 0;
	tp = tcp_of(sk);
	if (!tp || !READ(msg, msg_iter.count))
		return 0;
	if (!is_chosen_client()) {
		end_exchange(sk);
		return 0;
	}
	exchange = keep_exchange(sk, tp);
	if (!exchange)
		return 0;
	now = bpf_ktime_get_ns();
	if (!cpu->tid)
		adopt_current(cpu, now);
	leave_softirq(cpu);
	note_call(cpu, now);
	begin_exchange(exchange, sk, tp, READ(tp, write_seq), now);
	return 0;
}

/*
 * A packet with payload on its way out. On older kernels, where nothing tells of the call that sends, a request begins with
 * the first that goes beyond what has left before; the call is then the one that the thread is in.
 */
static __always_inline struct exchange *follow_packet(struct sock *sk, struct sk_buff *skb)
{
	struct exchange *exchange;
	struct tcp_sock *tp;
	__u32 end;

	if (!is_target(sk) || !find_payload(skb, sk, &end))
		return NULL;
	if (!follows_syscalls) {
		exchange = FIND_OF_SOCKET(exchanges, sk);
	} else {
		tp = tcp_of(sk);
		if (!tp)
			return NULL;
		if (is_locked(sk) && !is_chosen_client()) {
			end_exchange(sk);
			return NULL;
		}
		/* What leaves while no thread has the socket in its hands may be anybody's: it counts if others of its socket do. */
		if (chooses_clients && !is_locked(sk))
			exchange = FIND_OF_SOCKET(exchanges, sk);
		else
			exchange = keep_exchange(sk, tp);
		if (!exchange)
			return NULL;
		if (!exchange->sent_end || is_after(end, exchange->sent_end)) {
			__u64 now = bpf_ktime_get_ns();
			__u32 tid;
			const struct thread_run *run = find_thread(sk, now, &tid);

			begin_exchange(exchange, sk, tp, exchange->sent_end ?: READ(tp, snd_una), tid ? run->call_ns : now);
		}
	}
	if (!exchange || exchange->state != SENT || !is_after(end, exchange->request_seq))
		return NULL;
	exchange->sent_end = end;
	return exchange->sent_ns ? NULL : exchange;
}

TRACEPOINT(net_dev_start_xmit)
int TIMED_PROG(request_is_sent, struct sk_buff *skb)
{
	struct exchange *exchange;
	struct sock *sk = READ(skb, sk);

	if (!sk)
		return 0;
	exchange = follow_packet(sk, skb);
	if (exchange)
		exchange->sent_ns = bpf_ktime_get_ns();
	return 0;
}

TRACEPOINT(qdisc_enqueue)
int TIMED_PROG(request_is_enqueued, struct Qdisc *qdisc, const struct netdev_queue *txq, struct sk_buff *skb)
{
	struct exchange *exchange;
	struct sock *sk = READ(skb, sk);

	if (!sk)
		return 0;
	exchange = follow_packet(sk, skb);
	if (exchange && !exchange->queued_ns)
		exchange->queued_ns = bpf_ktime_get_ns();
	return 0;
}

static __always_inline void answer(struct sock *sk, struct sk_buff *skb)
{
	struct exchange *exchange = FIND_OF_SOCKET(exchanges, sk);

	if (!exchange || exchange->state != SENT)
		return;
	arrive(&exchange->turn.arrival, sk, skb);
	exchange->state = ANSWERED;
}

TRACEPOINT(sk_data_ready)
int TIMED_PROG(reply_is_ready, struct sock *sk)
{
	struct tcp_sock *tp;

	if (!is_target(sk))
		return 0;
	tp = tcp_of(sk);
	if (tp && !is_bare_end(sk, tp))
		answer(sk, READ(sk, sk_receive_queue.prev));
	return 0;
}

/* Stands in for sk_data_ready on older kernels. */
TRACEPOINT(tcp_probe)
int TIMED_PROG(reply_arrives, struct sock *sk, struct sk_buff *skb)
{
	struct tcp_sock *tp;

	if (!is_target(sk))
		return 0;
	tp = tcp_of(sk);
	if (tp && brings_payload(skb, tp))
		answer(sk, skb);
	return 0;
}

TRACEPOINT(tcp_rcv_space_adjust)
int TIMED_PROG(reply_was_copied, struct sock *sk)
{
	const struct thread_run *run;
	struct exchange *exchange;
	struct tcp_sock *tp;
	struct turn *turn;
	__u32 tid;
	__u64 now;

	if (!is_target(sk))
		return 0;
	tp = tcp_of(sk);
	exchange = FIND_OF_SOCKET(exchanges, sk);
	if (!tp || !exchange || !has_read(sk, tp, &exchange->copied_seq))
		return 0;
	turn = &exchange->turn;
	now = bpf_ktime_get_ns();
	run = find_thread(sk, now, &tid);
	switch (exchange->state) {
	case SENT:
		arrive_unseen(&turn->arrival, generation_of(hash_of(sk)), now);
	case ANSWERED:
		read_first(turn, run, now);
		read_last(turn, run, tid, now);
		exchange->state = TAKEN;
		break;
	case TAKEN:
		read_more(turn, run, tid, now);
	}
	return 0;
}

/* As for servers, the state is the filter. */
TRACEPOINT(inet_sock_set_state)
int TIMED_PROG(exchange_ends, struct sock *sk, int oldstate, int newstate)
{
	struct exchange *exchange;
	__u32 state;

	if (newstate == TCP_ESTABLISHED)
		FORGET_SOCKET(exchanges, sk);	/* if nobody saw an earlier one at this address end */
	if (newstate != TCP_CLOSE || READ(sk, sk_protocol) != IPPROTO_TCP || oldstate == TCP_LISTEN)
		return 0;
	exchange = FIND_OF_SOCKET(exchanges, sk);
	if (!exchange)
		return 0;
	state = exchange->state;
	exchange->state = NONE;
	if (state == TAKEN)
		finish_exchange(exchange, BY_CLOSE);
	else if (state != NONE && !has_ended)
		COUNT(unanswered);
	FORGET_SOCKET(exchanges, sk);
	return 0;
}

/* When nothing is measured any more: the replies that were read last on connections that are still open. */
static __always_inline void finish_taken(struct exchange *exchange)
{
	if (exchange->state == TAKEN) {
		exchange->state = NONE;
		finish_exchange(exchange, BY_USER);
	}
}

#ifndef TAUT_RAW

SEC("iter/bpf_sk_storage_map")
int finish_open(struct bpf_iter__bpf_sk_storage_map *context)
{
	struct sock *sk = context->sk;
	struct exchange *exchange;

	if (!sk)
		return 0;
	exchange = FIND_OF_SOCKET(exchanges, sk);
	if (exchange)
		finish_taken(exchange);
	return 0;
}

#else

__u32 is_finished = 0;

static long finish_each(void *map, const void *key, struct exchange *exchange, void *context)
{
	finish_taken(exchange);
	return 0;
}

/* No iterator without BTF: whichever thread makes a system call first does it. */
TRACEPOINT(sys_enter)
int finish_open(void *context)
{
	if (!__sync_lock_test_and_set(&is_finished, 1))
		bpf_for_each_map_elem(&exchanges, finish_each, NULL, 0);
	return 0;
}

#endif

char LICENSE[] SEC("license") = "Dual MIT/GPL";
