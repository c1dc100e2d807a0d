// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Requests of UDP servers: a datagram arrives, is read by the service, and a datagram to the same peer goes to the driver.
 * Many peers share a socket, so a request belongs to its peer, and an answer to the oldest of that peer's; one that is
 * older than ANSWER_NS when later ones are there, or for which there was no room, is given up.
 */
#include "arrivals.h"
#include "begin.h"
#include "context.h"
#include "datagrams.h"
#include "finish.h"
#include "kernel_compat.h"
#include "queued.h"
#include "target.h"

const volatile __u32 rings = 1;

static __always_inline bool is_target(struct sock *sk)
{
	return is_service_socket(sk) && READ(sk, sk_protocol) == IPPROTO_UDP;
}

/* A probe's first argument, as a number. */
static __always_inline __u64 first_argument(const void *ctx)
{
	__u64 argument = 0;

	bpf_probe_read_kernel(&argument, sizeof(argument), ctx);
	return argument;
}

static __always_inline bool find_sender(const struct sk_buff *skb, __u16 port, struct peer *peer)
{
	struct headers headers = find_headers(skb);

	return find_peer(&headers, true, peer) && bpf_ntohs(peer->local_port) == port;
}

/*
 * Nobody expected it, as it came in fragments, of which the last becomes the whole, or in a way that shows its port only later: what is
 * stacked on a device, encrypted, or passed to another network namespace. It is the packet that this CPU has taken up last.
 */
static __always_inline bool find_unexpected(struct cpu_state *cpu, __u16 port, struct incoming *incoming)
{
	const struct sk_buff *skb = (const struct sk_buff *)cpu->packet_address;
	struct arrivals *arrivals = arrivals_of(bpf_get_smp_processor_id());

	if (!skb || !arrivals || latest_of(arrivals)->path.receive_ns == cpu->packet.receive_ns || !is_on_socket(skb) ||
	    !find_sender(skb, port, &incoming->peer))
		return false;
	incoming->path = cpu->packet;
	cpu->packet_address = 0;
	return true;
}

/*
 * It is a copy, as of multicast, or a part, segmented late, of what is expected, and still in hand; or unexpected, and others are behind
 * it in its batch. It is at the end of the queue, or of what readers have taken that to, unless somebody reads it in this very moment.
 */
static __always_inline bool find_changed(struct sock *sk, const struct cpu_state *cpu, __u16 port, struct incoming *incoming)
{
	struct incoming *own;

	if (!find_sender(READ(sk, sk_receive_queue.prev), port, &incoming->peer) &&
	    !find_sender(READ_UNTYPED((struct udp_sock *)sk, reader_queue.prev), port, &incoming->peer))
		return false;
	own = place_of(find_last_of(&incoming->peer));
	incoming->path = own && is_in_hand(own) ? own->path : cpu->packet;
	return true;
}

/* Which datagram is it that is on the socket now? */
static __always_inline bool find_incoming(struct sock *sk, struct cpu_state *cpu, struct incoming *incoming)
{
	__u16 port = READ(sk, __sk_common.skc_num);
	struct incoming *own = place_of(find_delivered(port));

	if (own && claim(own)) {
		*incoming = *own;
		return true;
	}
	if (find_unexpected(cpu, port, incoming))
		return true;
	own = find_own(cpu, port);
	/* It was read, and its memory is another packet's. */
	if (own && !is_in_hand(own) && claim(own)) {
		*incoming = *own;
		return true;
	}
	if (claim_left(incoming, port, true) || find_changed(sk, cpu, port, incoming) || claim_left(incoming, port, false))
		return true;
	/* A copy or a part that was read in this very moment. */
	if (own && own->becomes_several && own->state != DROPPED_BEFORE) {
		*incoming = *own;
		return true;
	}
	return false;
}

TRACEPOINT(sk_data_ready)
int TIMED_PROG(datagram_is_ready, struct sock *sk)
{
	struct incoming incoming;
	struct reader reader;

	if (!is_target(sk))
		return 0;
	if (!find_incoming(sk, this_cpu(), &incoming)) {
		COUNT(lost_unmatched);
		return 0;
	}
	if (!find_reader(first_argument(ctx), &reader))
		return 0;
	begin_datagram(&incoming, reader.socket, expect_read(&reader, sk));
	return 0;
}

/* The end of each receiving call, and of each datagram that recvmmsg reads. */
TRACEPOINT(sock_recv_length)
int TIMED_PROG(datagram_is_read, struct sock *sk, int ret, int flags)
{
	struct cpu_state *cpu = this_cpu();
	struct reader reader;
	__u64 now;

	if (ret < 0 || flags & (MSG_PEEK | MSG_ERRQUEUE) || !is_target(sk))
		return 0;
	if (!find_reader(first_argument(ctx), &reader))
		return 0;
	now = bpf_ktime_get_ns();
	if (!cpu->tid)
		adopt_current(cpu, now);
	keep_read(&reader, cpu, now);
	return 0;
}

/* The service answers a datagram. Of one that it has read too long ago, or too many others since, only the total is known. */
static __always_inline void leave_service(struct turn *turn, enum match match, const struct query *query)
{
	struct cpu_state *cpu = this_cpu();

	if (match == NOT_KNOWN || !take_read(turn, query)) {
		turn->arrival.generation = 0;
		return;
	}
	if (may_be_sending(turn, cpu))
		leave_app(turn, cpu);
}

#define ADDRESS_BITS 48

/* What a socket of the service sends. */
struct answer {
	struct peer peer;
	__u64 socket;
	__u64 packet;	/* its address as a number, as the socket's; and above ADDRESS_BITS the interface that it is on */
	__u64 now;
};

static __always_inline bool find_answer(struct sk_buff *skb, struct answer *answer)
{
	struct sock *sk = READ(skb, sk);
	struct headers headers;

	/* What goes by a virtual wire into a bridge stays the socket's, and has left it already. */
	if (!sk || !is_target(sk) || READ(skb, skb_iif))
		return false;
	headers = find_headers(skb);
	answer->socket = (__u64)BPF_CORE_READ(skb, sk);
	answer->packet = (address_of(skb) & ((1ULL << ADDRESS_BITS) - 1)) |
			 (__u64)READ(READ(skb, dev), ifindex) << ADDRESS_BITS;
	answer->now = bpf_ktime_get_ns();
	return find_peer(&headers, false, &answer->peer);
}

/*
 * It ends the datagram that it answers; so does more of an answer, where nobody was told that its first packet left. Where a peer was
 * forgotten meanwhile, its former numbers come out.
 */
static __always_inline void leave_queue(struct datagrams *datagrams, const struct answer *answer, __u32 number)
{
	if (number && !comes_before(number, datagrams->popped) && comes_before(number, datagrams->pushed))
		end_datagram(datagrams, &answer->peer, number, find_waiting(datagrams, &answer->peer, number), answer->now);
}

enum answers {
	ANSWERS,	/* the datagram with the number */
	ANSWERS_MORE,	/* than one that was answered before */
	ANSWERS_NONE,	/* that is known to be on its socket */
	ANSWERS_ANOTHER,	/* than the oldest that is left, as others answer the same peer at this moment */
};

/* A packet that goes to a peer, and in no queue yet: which datagram does it answer, and where is that, if there was room for it? */
static __always_inline enum answers find_answered(struct datagrams *datagrams, const struct answer *answer, __u32 *number,
						  struct waiting **waiting)
{
	struct cpu_state *cpu = this_cpu();
	struct query query = {
		.socket = answer->socket,
		.before = answer->now,
		.tid = cpu->tid,
		.follows = follows_answer(datagrams, cpu->tid, cpu->run.read_ns) ? FOLLOWS : 0,
	};
	enum match match = NOT_KNOWN;

	*number = find_unsent(datagrams, &answer->peer, answer->now);
	if (*number == datagrams->pushed)
		return query.follows ? ANSWERS_MORE : ANSWERS_NONE;
	*waiting = find_waiting(datagrams, &answer->peer, *number);
	if (!*waiting && !comes_before(*number, datagrams->holes)) {
		/* Its begin, which is not at its end yet, will see an answer that was early. */
		if (datagrams->pushed - *number <= EARLY_WAYS)
			return ANSWERS_NONE;
		/* It is held up for too long: as if there was no room, which its begin will see. */
		advance(&datagrams->holes, *number + 1);
	}
	if (*waiting) {
		/* It came when this answer had left. */
		if ((*waiting)->turn.arrival.path.receive_ns > answer->now)
			return ANSWERS_ANOTHER;
		query.expected = (*waiting)->read;
		match = is_read(&(*waiting)->turn, &query);
	}
	if (match == NOT_READ)
		return query.follows ? ANSWERS_MORE : ANSWERS_NONE;
	if (!take_number(datagrams, *number))
		return ANSWERS_ANOTHER;
	/* If it is no hole, its begin was held up on another CPU; from now on that sees that the number is taken. */
	if (!*waiting)
		*waiting = find_waiting(datagrams, &answer->peer, *number);
	note_answer(datagrams, cpu->tid, answer->now);
	if (*waiting)
		leave_service(&(*waiting)->turn, match, &query);
	return ANSWERS;
}

/* The answer is still to be found out about. */
static __always_inline bool is_early(enum answers answers)
{
	return answers == ANSWERS_NONE || answers == ANSWERS_ANOTHER;
}

/* When was it sent? Where others are answered meanwhile, its own datagram may have come a moment ago. */
static __always_inline __u64 sent_ns_of(const struct answer *answer, enum answers answers)
{
	return answers == ANSWERS_ANOTHER ? bpf_ktime_get_ns() : answer->now;
}

/*
 * Keeps an answer that was early; gives when it was sent, and 0 if there was no room. It is an answer all the same, and what this
 * thread sends next to the peer may be more of it.
 */
static __always_inline __u64 keep_answer(struct datagrams *datagrams, const struct answer *answer, __u64 now, enum fate fate)
{
	struct cpu_state *cpu = this_cpu();
	bool follows = datagrams && follows_answer(datagrams, cpu->tid, cpu->run.read_ns);

	if (!keep_early(hash_of(&answer->peer), cpu, now, follows, fate, fate == QUEUED ? answer->packet : 0))
		return 0;
	if (datagrams)
		note_answer(datagrams, cpu->tid, now);
	return now;
}

/* A packet goes to the driver. Gives when it has left if its datagram is still to be found out, or else 0. */
__weak __noinline __u64 answer_oldest(const struct answer *sent)
{
	enum answers answers = ANSWERS_NONE;
	struct datagrams *datagrams;
	struct waiting *waiting;
	struct answer answer;
	bool is_queued;
	__u64 queued;
	__u32 number;

	if (!sent)
		return 0;
	answer = *sent;
	is_queued = take_queued(answer.packet, hash_of(&answer.peer), LEFT, answer.now, &queued);
	/* Behind that: its datagram may be found at this moment, and be the first of its peer. */
	datagrams = bpf_map_lookup_elem(&peers, &answer.peer);
	if (is_queued) {
		if (datagrams)
			leave_queue(datagrams, &answer, queued);
		return 0;
	}
	if (datagrams)
		answers = find_answered(datagrams, &answer, &number, &waiting);
	if (answers == ANSWERS)
		end_datagram(datagrams, &answer.peer, number, waiting, answer.now);
	return is_early(answers) ? keep_answer(datagrams, &answer, sent_ns_of(&answer, answers), LEFT) : 0;
}

/* A packet enters the queue of an interface. Gives when if its datagram is still to be found out, or else 0. */
__weak __noinline __u64 queue_answer(const struct answer *entering)
{
	enum answers answers = ANSWERS_NONE;
	struct datagrams *datagrams;
	struct waiting *waiting;
	struct answer answer;
	__u32 number = 0;
	__u64 now, hash;

	if (!entering)
		return 0;
	answer = *entering;
	hash = hash_of(&answer.peer);
	datagrams = bpf_map_lookup_elem(&peers, &answer.peer);
	if (datagrams)
		answers = find_answered(datagrams, &answer, &number, &waiting);
	if (!is_early(answers)) {
		if (answers == ANSWERS && waiting)
			waiting->turn.queued_ns = answer.now;
		if (answers == ANSWERS_MORE)
			number = datagrams->queued - 1;
		keep_queued(answer.packet, hash, number | (answers == ANSWERS_MORE ? ANSWERS_AGAIN : 0), BPF_ANY);
		return 0;
	}
	now = sent_ns_of(&answer, answers);
	/* Before anybody may find its datagram. */
	keep_queued(answer.packet, hash, ANSWERS_EARLY | now, BPF_ANY);
	if (keep_answer(datagrams, &answer, now, QUEUED))
		return now;
	forget_queued(answer.packet);
	return 0;
}

/* An answer was early, and is kept by when it was sent; 0: none was. What has arrived by now did not see it. */
static __always_inline void find_datagram_of(const struct answer *answer, __u64 early_ns)
{
	if (early_ns)
		answer_early(&answer->peer, answer->socket, early_ns - 1);
}

/* Without the interface that it is on, which is above. */
static __always_inline __u64 packet_of(const struct answer *answer)
{
	return answer->packet << (64 - ADDRESS_BITS);
}

/*
 * Has a stacked device (a VLAN, a bond, a bridge) had the packet, and the one below gets it now? It does so within the call of the
 * upper one, on this CPU; a packet that comes to its address later begins at the upper one again. Devices with none below have level
 * 1, and what is on no device yet has 0.
 */
static __always_inline bool is_passed_on(struct cpu_state *cpu, struct sk_buff *skb, const struct answer *answer)
{
	__u32 level = READ(READ(skb, dev), lower_level);

	return level && level < cpu->passed_level && cpu->passed_on == packet_of(answer) &&
	       cpu->passed_to == hash_of(&answer->peer);
}

static __always_inline void pass_on(struct cpu_state *cpu, struct sk_buff *skb, const struct answer *answer)
{
	cpu->passed_level = READ(READ(skb, dev), lower_level);
	if (cpu->passed_level <= 1)
		return;
	cpu->passed_on = packet_of(answer);
	cpu->passed_to = hash_of(&answer->peer);
}

TRACEPOINT(net_dev_start_xmit)
int TIMED_PROG(datagram_is_sent, struct sk_buff *skb)
{
	struct cpu_state *cpu = this_cpu();
	struct answer answer;
	__u64 early_ns;
	bool is_done;

	if (!find_answer(skb, &answer))
		return 0;
	is_done = is_passed_on(cpu, skb, &answer);
	pass_on(cpu, skb, &answer);
	if (is_done) {
		forget_queued(answer.packet);
		return 0;
	}
	if (!cpu->tid && adopt_known(cpu, answer.now))
		note_call(cpu, answer.now);
	early_ns = answer_oldest(&answer);
	find_datagram_of(&answer, early_ns);
	return 0;
}

/*
 * Where a queue has no lock, what enters may have left before this is told, and is not followed; only that an upper device has had it
 * is kept, as most do not leave so soon. What becomes several packets when it leaves is found out about then, each for itself.
 */
TRACEPOINT(qdisc_enqueue)
int TIMED_PROG(datagram_is_enqueued, struct Qdisc *qdisc, const struct netdev_queue *txq, struct sk_buff *skb)
{
	bool is_locked = !(READ(qdisc, flags) & TCQ_F_NOLOCK);
	struct cpu_state *cpu = this_cpu();
	struct answer answer;
	__u64 early_ns;

	if ((!is_locked && cpu->passed_level <= 1) || !find_answer(skb, &answer))
		return 0;
	if (is_passed_on(cpu, skb, &answer)) {
		keep_queued(answer.packet, hash_of(&answer.peer), ANSWERS_AGAIN, BPF_ANY);
		return 0;
	}
	if (!is_locked)
		return 0;
	if (segment_size_of(skb)) {
		forget_queued(answer.packet);
		return 0;
	}
	early_ns = queue_answer(&answer);
	find_datagram_of(&answer, early_ns);
	return 0;
}

#define IS(reason, name) \
	(bpf_core_enum_value_exists(enum skb_drop_reason, name) && (reason) == bpf_core_enum_value(enum skb_drop_reason, name))

/* Has it been dropped on its way to the driver? Some drivers let go by this way what they have sent. */
static __always_inline bool is_dropped_before(enum skb_drop_reason reason)
{
	return IS(reason, SKB_DROP_REASON_QDISC_DROP) || IS(reason, SKB_DROP_REASON_QDISC_OVERLIMIT) ||
	       IS(reason, SKB_DROP_REASON_QDISC_CONGESTED) || IS(reason, SKB_DROP_REASON_QDISC_BURST_DROP) ||
	       IS(reason, SKB_DROP_REASON_CAKE_FLOOD) || IS(reason, SKB_DROP_REASON_FQ_BAND_LIMIT) ||
	       IS(reason, SKB_DROP_REASON_FQ_HORIZON_LIMIT) || IS(reason, SKB_DROP_REASON_FQ_FLOW_LIMIT) ||
	       IS(reason, SKB_DROP_REASON_TC_EGRESS) || IS(reason, SKB_DROP_REASON_NETFILTER_DROP) ||
	       IS(reason, SKB_DROP_REASON_BPF_CGROUP_EGRESS) || IS(reason, SKB_DROP_REASON_NEIGH_CREATEFAIL) ||
	       IS(reason, SKB_DROP_REASON_NEIGH_FAILED) || IS(reason, SKB_DROP_REASON_NEIGH_QUEUEFULL) ||
	       IS(reason, SKB_DROP_REASON_NEIGH_DEAD);
}

/*
 * An answer that never leaves: its datagram remains unanswered, and the next answer is to the next one. Gives what answer_oldest
 * does.
 */
__weak __noinline __u64 drop_answer(const struct answer *dropped, int before_queue)
{
	enum answers answers = ANSWERS_NONE;
	struct datagrams *datagrams;
	struct waiting *waiting;
	struct answer answer;
	__u64 queued;
	__u32 number;

	if (!dropped)
		return 0;
	answer = *dropped;
	if (take_queued(answer.packet, hash_of(&answer.peer), DROPPED, answer.now, &queued)) {
		if (!(queued & ANSWERS_AGAIN))
			drop_number(&answer.peer, queued);
		return 0;
	}
	if (!before_queue)
		return 0;
	datagrams = bpf_map_lookup_elem(&peers, &answer.peer);
	if (datagrams)
		answers = find_answered(datagrams, &answer, &number, &waiting);
	if (answers == ANSWERS)
		drop_number(&answer.peer, number);
	return is_early(answers) ? keep_answer(datagrams, &answer, sent_ns_of(&answer, answers), DROPPED) : 0;
}

TRACEPOINT(kfree_skb)
int TIMED_PROG(datagram_is_dropped, struct sk_buff *skb, void *location, enum skb_drop_reason reason)
{
	struct answer answer;
	__u64 early_ns;

	/* It has come by an interface. */
	if (READ(skb, skb_iif)) {
		drop_arrival(first_argument(ctx));
		return 0;
	}
	if (!find_answer(skb, &answer))
		return 0;
	early_ns = drop_answer(&answer, is_dropped_before(reason) && !is_passed_on(this_cpu(), skb, &answer));
	find_datagram_of(&answer, early_ns);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
