// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Requests of UDP servers: a datagram arrives, is read by the service, and a datagram to the same peer goes to the driver.
 * Many peers share a socket, so a request belongs to its peer, and an answer to the oldest of that peer's; one that is
 * older than ANSWER_NS when later ones are there is given up.
 */
#include "arrivals.h"
#include "begin.h"
#include "context.h"
#include "datagrams.h"
#include "finish.h"
#include "target.h"

const volatile __u32 rings = 1;

static __always_inline bool is_target(struct sock *sk)
{
	return is_service_socket(sk) && READ(sk, sk_protocol) == IPPROTO_UDP;
}

/*
 * Of a packet that has gone through IP on this CPU. Of fragments that is the last, without UDP's header; the whole then is at
 * the end of the queue, unless somebody reads it in this very moment.
 */
static __always_inline bool find_sender(struct sock *sk, const struct cpu_state *cpu, __u16 port, struct peer *peer)
{
	struct headers headers = find_headers((const struct sk_buff *)cpu->packet_address);

	if (find_peer(&headers, true, peer) && bpf_ntohs(peer->local_port) == port)
		return true;
	headers = find_headers(READ(sk, sk_receive_queue.prev));
	return find_peer(&headers, true, peer) && bpf_ntohs(peer->local_port) == port;
}

/* Which datagram is it that is on the socket now? */
static __always_inline bool find_incoming(struct sock *sk, const struct cpu_state *cpu, struct incoming *incoming)
{
	__u16 port = READ(sk, __sk_common.skc_num);
	struct incoming *own = find_own(cpu, port);

	if (own) {
		/* One packet is several datagrams when it is multicast, or segmented late. */
		if (claim(own) || !claim_left(incoming, port))
			*incoming = *own;
		return true;
	}
	/* It came by a device that is stacked on another, or in fragments. */
	incoming->path = cpu->packet;
	return find_sender(sk, cpu, port, &incoming->peer) || claim_left(incoming, port);
}

/* A probe's first argument, as a number. */
static __always_inline __u64 first_argument(const void *ctx)
{
	__u64 argument = 0;

	bpf_probe_read_kernel(&argument, sizeof(argument), ctx);
	return argument;
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

/* There is no room on the socket. */
TRACEPOINT(udp_fail_queue_rcv_skb)
int TIMED_PROG(datagram_is_refused, int rc, struct sock *sk)
{
	if (is_target(sk))
		refuse_datagram();
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

/*
 * The service answers a datagram that it has read. False if it has not: then this is something else. Of one that it has read
 * too long ago, or too many others since, only the total is known.
 */
static __always_inline bool leave_service(struct datagrams *datagrams, struct waiting *waiting, __u64 socket, __u64 now)
{
	struct turn *turn = &waiting->turn;
	struct cpu_state *cpu = this_cpu();
	struct query query = {
		.socket = socket,
		.before = now,
		.expected = waiting->read,
		.tid = cpu->tid,
		.follows = follows_answer(datagrams, cpu->tid, cpu->run.read_ns),
	};
	int match = match_datagram(turn, &query);

	if (match == NOT_READ)
		return false;
	note_answer(datagrams, cpu->tid, now);
	if (match == NOT_KNOWN) {
		turn->arrival.generation = 0;
		return true;
	}
	if (may_be_sending(turn, cpu))
		leave_app(turn, cpu);
	return true;
}

/* What a socket of the service sends. */
struct answer {
	struct peer peer;
	__u64 socket;
	__u64 packet;	/* its address as a number, as the socket's */
	__u64 now;
};

static __always_inline bool find_answer(struct sk_buff *skb, struct answer *answer)
{
	struct sock *sk = READ(skb, sk);
	struct headers headers;

	if (!sk || !is_target(sk))
		return false;
	headers = find_headers(skb);
	answer->socket = (__u64)BPF_CORE_READ(skb, sk);
	answer->packet = address_of(skb);
	answer->now = bpf_ktime_get_ns();
	return find_peer(&headers, false, &answer->peer);
}

/*
 * May what this thread sends be more of the peer's last answer? If not, it is an answer whatever it is to: that may not be known
 * to be on its socket yet.
 */
static __always_inline bool is_more(struct datagrams *datagrams, __u64 now)
{
	struct cpu_state *cpu = this_cpu();

	if (follows_answer(datagrams, cpu->tid, cpu->run.read_ns))
		return true;
	note_answer(datagrams, cpu->tid, now);
	return false;
}

/*
 * What a packet is, is found out when it enters the queue of an interface, since it comes out in whichever thread's time: the
 * answer to the datagram with this number, or 0, more of one. By the packet's address; another packet may come there when this
 * one was dropped. None may take the place of another that is still queued: its turn would be taken for a later answer.
 */
#define MAX_QUEUED 4096

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_QUEUED);
	__type(key, __u64);
	__type(value, __u32);
} queued_answers SEC(".maps");

static __always_inline void keep_queued(__u64 packet, __u32 number)
{
	bpf_map_update_elem(&queued_answers, &packet, &number, BPF_ANY);
}

/* False if it did not enter a queue, or nobody knew then what it was. */
static __always_inline bool take_queued(__u64 packet, __u32 *number)
{
	__u32 *queued = bpf_map_lookup_elem(&queued_answers, &packet);

	if (!queued)
		return false;
	*number = *queued;
	return !bpf_map_delete_elem(&queued_answers, &packet);
}

/* Does it answer the oldest that waits, or is it more of an answer that there was? */
__weak __noinline int answer_oldest(const struct answer *answer)
{
	struct datagrams *datagrams;
	struct waiting *waiting;
	struct peer peer;
	__u32 number, queued;

	if (!answer)
		return false;
	peer = answer->peer;
	datagrams = bpf_map_lookup_elem(&peers, &peer);
	if (!datagrams)
		return false;
	number = find_oldest(datagrams, &peer, answer->now);
	if (take_queued(answer->packet, &queued) && (!queued || comes_before(queued, number)))
		return true;
	if (number == datagrams->pushed)
		return is_more(datagrams, answer->now);
	waiting = find_waiting(datagrams, &peer, number);
	if (!waiting) {
		bool is_coming = datagrams->unwritten;

		/* Its begin has come to its end meanwhile, or will see that this answer was early. */
		waiting = find_waiting(datagrams, &peer, number);
		if (!waiting && is_coming)
			return false;
	}
	if (!waiting) {
		pop(datagrams, number);
		return true;
	}
	if (!comes_before(number, datagrams->queued) &&
	    !leave_service(datagrams, waiting, answer->socket, answer->now))
		return is_more(datagrams, answer->now);
	end_datagram(datagrams, &peer, number, waiting, answer->now);
	return true;
}

TRACEPOINT(net_dev_start_xmit)
int TIMED_PROG(datagram_is_sent, struct sk_buff *skb)
{
	struct cpu_state *cpu = this_cpu();
	struct answer answer;

	if (!find_answer(skb, &answer))
		return 0;
	if (!cpu->tid && adopt_known(cpu, answer.now))
		note_call(cpu, answer.now);
	if (answer_oldest(&answer))
		return 0;
	keep_early(&answer.peer, cpu, answer.now);
	/* What has arrived by now did not see this. */
	answer_early(&answer.peer, answer.socket);
	return 0;
}

TRACEPOINT(qdisc_enqueue)
int TIMED_PROG(datagram_is_enqueued, struct Qdisc *qdisc, const struct netdev_queue *txq, struct sk_buff *skb)
{
	struct datagrams *datagrams;
	struct waiting *waiting;
	struct answer answer;
	__u32 number, queued;

	if (!find_answer(skb, &answer))
		return 0;
	take_queued(answer.packet, &number);
	datagrams = bpf_map_lookup_elem(&peers, &answer.peer);
	if (!datagrams)
		return 0;
	queued = datagrams->queued;
	number = find_oldest(datagrams, &answer.peer, answer.now);
	if (comes_before(number, queued))
		number = queued;
	waiting = number == datagrams->pushed ? NULL : find_waiting(datagrams, &answer.peer, number);
	if (number == datagrams->pushed || (waiting && !leave_service(datagrams, waiting, answer.socket, answer.now))) {
		if (is_more(datagrams, answer.now))
			keep_queued(answer.packet, 0);
		return 0;
	}
	if (waiting)
		waiting->turn.queued_ns = answer.now;
	keep_queued(answer.packet, number);
	__sync_val_compare_and_swap(&datagrams->queued, queued, number + 1);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
