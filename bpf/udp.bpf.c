// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Requests of UDP servers: a datagram arrives, is read by the service, and a datagram to the same peer goes to the driver.
 * Many peers share a socket, so a request belongs to its peer, and an answer to the oldest of that peer's; one that is
 * older than ANSWER_NS when later ones are there is given up.
 */
#include "context.h"
#include "datagrams.h"
#include "finish.h"
#include "target.h"

static __always_inline bool is_target(struct sock *sk)
{
	return is_service_socket(sk) && READ(sk, sk_protocol) == IPPROTO_UDP;
}

/* A peer's packets belong together as a connection's do. */
static __always_inline __u32 hash_of(const struct peer *peer)
{
	const __u32 *words = (const __u32 *)peer;
	__u64 hash = 0;

	for (int i = 0; i < sizeof(*peer) / sizeof(*words); i++)
		hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15ULL;
	return hash >> 32;
}

/*
 * Of the packet that this CPU has taken up last, whose way ends on the socket. Of fragments that is the last, without
 * UDP's header; the whole then is at the end of the queue, unless somebody reads it in this very moment.
 */
static __always_inline bool find_sender(struct sock *sk, const struct cpu_state *cpu, struct peer *peer)
{
	struct headers headers = find_headers((const struct sk_buff *)cpu->packet_address);

	if (find_peer(&headers, true, peer) && bpf_ntohs(peer->local_port) == READ(sk, __sk_common.skc_num))
		return true;
	headers = find_headers(READ(sk, sk_receive_queue.prev));
	return find_peer(&headers, true, peer) && bpf_ntohs(peer->local_port) == READ(sk, __sk_common.skc_num);
}

/* The service may have read and answered it already, when its probes on other CPUs were faster. */
static __always_inline void answer_early(struct datagrams *datagrams, struct turn *turn, struct reads *reads, __u32 number)
{
	__u64 early = datagrams->early_ns;

	if (early <= turn->arrival.path.receive_ns || !match_read(turn, reads, early, 0))
		return;
	if (pop(datagrams, number))
		finish(turn, early, false);
}

TRACEPOINT(sk_data_ready)
int BPF_PROG(datagram_is_ready, struct sock *sk)
{
	struct cpu_state *cpu = this_cpu();
	struct datagrams *datagrams = NULL;
	struct peer peer;
	struct reads *reads;
	struct turn *turn;
	__u32 number;

	if (!is_target(sk))
		return 0;
	reads = KEEP_OF_SOCKET(reads_of_sockets, sk, no_reads);
	if (reads && find_sender(sk, cpu, &peer))
		datagrams = find_datagrams(&peer);
	if (!datagrams || !reads) {
		COUNT(lost_map_full);
		return 0;
	}
	if (datagrams->pushed - datagrams->popped >= MAX_DATAGRAMS)
		give_up_oldest(datagrams, datagrams->popped);
	number = datagrams->pushed;
	turn = turn_of(datagrams, number);
	turn->arrival.path = cpu->packet;
	turn->arrival.generation = generation_of(hash_of(&peer));
	turn->arrival.cpu = bpf_get_smp_processor_id();
	turn->last_ns = 0;
	turn->arrival.ready_ns = bpf_ktime_get_ns();
	/* Datagrams of one peer come one after the other: steering goes by addresses and ports. */
	if (__sync_val_compare_and_swap(&datagrams->pushed, number, number + 1) != number) {
		COUNT(lost_map_full);
		return 0;
	}
	COUNT(begun);
	answer_early(datagrams, turn, reads, number);
	return 0;
}

/* The end of each receiving call, and of each datagram that recvmmsg reads. */
TRACEPOINT(sock_recv_length)
int BPF_PROG(datagram_is_read, struct sock *sk, int ret, int flags)
{
	struct cpu_state *cpu = this_cpu();
	struct reads *reads;
	struct read *read;
	__u64 now;

	if (ret < 0 || flags & (MSG_PEEK | MSG_ERRQUEUE) || !is_target(sk))
		return 0;
	reads = KEEP_OF_SOCKET(reads_of_sockets, sk, no_reads);
	if (!reads)
		return 0;
	now = bpf_ktime_get_ns();
	if (!cpu->tid)
		adopt_current(cpu, now);
	read = &reads->last[__sync_fetch_and_add(&reads->count, 1) % MAX_READS];
	read->is_taken = true;
	read->run = cpu->run;
	read->tid = cpu->tid;
	read->cpu = bpf_get_smp_processor_id();
	read->ns = now;
	read->is_taken = false;
	return 0;
}

/* The service answers a datagram that it has read. False if it has not: then this is something else. */
static __always_inline bool leave_service(struct turn *turn, struct sock *sk, __u64 now)
{
	struct reads *reads = FIND_OF_SOCKET(reads_of_sockets, sk);
	struct cpu_state *cpu = this_cpu();

	if (!reads || !match_read(turn, reads, now, cpu->tid))
		return false;
	if (may_be_sending(turn, cpu))
		leave_app(turn, cpu);
	return true;
}

static __always_inline struct datagrams *find_asked(struct sk_buff *skb, struct sock *sk)
{
	struct headers headers;
	struct peer peer;

	if (!sk || !is_target(sk))
		return NULL;
	headers = find_headers(skb);
	return find_peer(&headers, false, &peer) ? find_datagrams(&peer) : NULL;
}

TRACEPOINT(net_dev_start_xmit)
int BPF_PROG(datagram_is_sent, struct sk_buff *skb)
{
	struct sock *sk = READ(skb, sk);
	struct datagrams *datagrams = find_asked(skb, sk);
	struct turn *turn;
	__u32 number;
	__u64 now;

	if (!datagrams)
		return 0;
	now = bpf_ktime_get_ns();
	number = find_oldest(datagrams, now);
	turn = turn_of(datagrams, number);
	if (number == datagrams->pushed || !(turn->last_ns || leave_service(turn, sk, now))) {
		datagrams->early_ns = now;
		return 0;
	}
	if (pop(datagrams, number))
		finish(turn, now, datagrams->pushed != number + 1);
	return 0;
}

TRACEPOINT(qdisc_enqueue)
int BPF_PROG(datagram_is_enqueued, struct Qdisc *qdisc, const struct netdev_queue *txq, struct sk_buff *skb)
{
	struct sock *sk = READ(skb, sk);
	struct datagrams *datagrams = find_asked(skb, sk);
	__u32 number;
	__u64 now;

	if (!datagrams)
		return 0;
	now = bpf_ktime_get_ns();
	number = find_oldest(datagrams, now);
	/* The first that is not in the queue yet. */
	for (__u32 i = 0; i < MAX_DATAGRAMS && number + i != datagrams->pushed; i++) {
		struct turn *turn = turn_of(datagrams, number + i);

		if (turn->last_ns)
			continue;
		if (leave_service(turn, sk, now))
			turn->queued_ns = now;
		return 0;
	}
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
