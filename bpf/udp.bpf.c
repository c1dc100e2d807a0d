// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Requests of UDP servers: a datagram arrives, is read by the service, and a datagram to the same peer goes to the driver.
 * A socket's datagrams are read in the order in which they came. Many peers share it, so a request belongs to its peer,
 * and an answer to the oldest of that peer's; one that is older than ANSWER_NS when later ones are there is given up.
 */
#include "context.h"
#include "datagrams.h"
#include "finish.h"
#include "udp_queue.h"

static __always_inline bool is_target(struct sock *sk)
{
	return is_service_port(sk->__sk_common.skc_num) && sk->sk_protocol == IPPROTO_UDP &&
	       sk->__sk_common.skc_net.net->ns.inum == netns;
}

/*
 * Of the packet that this CPU has taken up last, whose way ends on the socket. Of fragments that is the last, without
 * UDP's header; the whole then is at the end of the queue, unless somebody reads it in this very moment.
 */
static __always_inline bool find_sender(struct sock *sk, const struct cpu_state *cpu, struct peer *peer)
{
	struct headers headers = find_headers((const struct sk_buff *)cpu->packet_address);

	if (find_peer(&headers, true, peer) && bpf_ntohs(peer->local_port) == sk->__sk_common.skc_num)
		return true;
	headers = find_headers(sk->sk_receive_queue.prev);
	return find_peer(&headers, true, peer) && bpf_ntohs(peer->local_port) == sk->__sk_common.skc_num;
}

SEC("tp_btf/sk_data_ready")
int BPF_PROG(datagram_is_ready, struct sock *sk)
{
	struct cpu_state *cpu = this_cpu();
	struct datagram datagram, *read;
	struct socket_queue *queue;
	struct arrival_key key;
	__u32 number;

	if (!is_target(sk))
		return 0;
	queue = find_queue(sk, 1);
	if (!queue) {
		count_full_map();
		return 0;
	}
	__builtin_memset(&datagram, 0, sizeof(datagram));
	/* One whose sender is not known is counted as lost when it is read. */
	if (!find_sender(sk, cpu, &datagram.peer))
		datagram.peer.version = 0;
	datagram.turn.arrival.path = cpu->packet;
	datagram.turn.arrival.ready_ns = bpf_ktime_get_ns();
	datagram.turn.arrival.cpu = bpf_get_smp_processor_id();
	for (int i = 0; i < 2; i++) {
		number = __sync_fetch_and_add(&queue->pushed, 1);
		mend_lag(queue, sk, number);
		key = make_key(sk, number);
		read = meet(&key, &datagram);
		if (!read)
			return 0;
		if (read->turn.last_ns > datagram.turn.arrival.path.receive_ns)
			break;
		/* It was read before this one came: so it was another, and nobody knows whose. */
		count_unseen();
		bpf_map_delete_elem(&arrivals, &key);
		read = NULL;
	}
	if (!read)
		return 0;
	read->peer = datagram.peer;
	read->turn.arrival = datagram.turn.arrival;
	read->turn.arrival.ready_ns = read->turn.first_ns;
	begin(read);
	bpf_map_delete_elem(&arrivals, &key);
	return 0;
}

/* The end of each receiving call, and of each datagram that recvmmsg reads. */
SEC("tp_btf/sock_recv_length")
int BPF_PROG(datagram_is_read, struct sock *sk, int ret, int flags)
{
	struct cpu_state *cpu = this_cpu();
	struct datagram datagram, *arrived;
	struct socket_queue *queue;
	struct arrival_key key;
	__u32 number;
	__u64 now;

	if (ret < 0 || flags & (MSG_PEEK | MSG_ERRQUEUE) || !is_target(sk))
		return 0;
	queue = bpf_sk_storage_get(&socket_queues, sk, NULL, 0);
	if (!queue) {
		/* What was there before the probes is not counted. */
		find_queue(sk, 0);
		return 0;
	}
	now = bpf_ktime_get_ns();
	if (!cpu->tid)
		adopt_current(cpu, now);
	number = __sync_fetch_and_add(&queue->popped, 1);
	if ((__s32)(number - queue->first) < 0)
		return 0;
	key = make_key(sk, number);
	arrived = bpf_map_lookup_elem(&arrivals, &key);
	if (!arrived) {
		__builtin_memset(&datagram, 0, sizeof(datagram));
		datagram.turn.arrival.ready_ns = now;
		read_first(&datagram.turn, &cpu->run, now);
		read_last(&datagram.turn, &cpu->run, cpu->tid, now);
		arrived = meet(&key, &datagram);
		if (!arrived)
			return 0;
	}
	arrived->turn.app_wait_ns = 0;
	read_first(&arrived->turn, &cpu->run, now);
	read_last(&arrived->turn, &cpu->run, cpu->tid, now);
	begin(arrived);
	bpf_map_delete_elem(&arrivals, &key);
	return 0;
}

/* Is this the service's own call that sends? Not so when the qdisc lets it go later, on top of whichever thread. */
static __always_inline bool is_sending(struct turn *turn, struct cpu_state *cpu)
{
	return !turn->send_entry_ns && !turn->queued_ns && cpu->tid && cpu->run.call_ns >= turn->last_ns;
}

static __always_inline struct datagrams *find_asked(struct sk_buff *skb)
{
	struct sock *sk = skb->sk;
	struct headers headers;
	struct peer peer;

	if (!sk || !is_target(sk))
		return NULL;
	headers = find_headers(skb);
	return find_peer(&headers, false, &peer) ? bpf_map_lookup_elem(&peers, &peer) : NULL;
}

SEC("tp_btf/net_dev_start_xmit")
int BPF_PROG(datagram_is_sent, struct sk_buff *skb)
{
	struct datagrams *datagrams = find_asked(skb);
	struct cpu_state *cpu = this_cpu();
	struct turn *turn, copy;
	__u32 number;

	if (!datagrams)
		return 0;
	turn = find_oldest(datagrams, bpf_ktime_get_ns(), &number);
	if (!turn)
		return 0;
	copy = *turn;
	if (__sync_val_compare_and_swap(&datagrams->popped, number, number + 1) != number)
		return 0;
	if (is_sending(&copy, cpu))
		leave_app(&copy, cpu);
	finish(&copy, bpf_ktime_get_ns(), datagrams->pushed != number + 1);
	return 0;
}

SEC("tp_btf/qdisc_enqueue")
int BPF_PROG(datagram_is_enqueued, struct Qdisc *qdisc, const struct netdev_queue *txq, struct sk_buff *skb)
{
	struct datagrams *datagrams = find_asked(skb);
	struct cpu_state *cpu = this_cpu();
	__u64 now = bpf_ktime_get_ns();
	__u32 number;

	if (!datagrams || !find_oldest(datagrams, now, &number))
		return 0;
	/* The first that is not in the queue yet. */
	for (__u32 i = 0; i < MAX_DATAGRAMS; i++) {
		struct turn *turn = turn_of(datagrams, number + i);

		if (number + i == datagrams->pushed || !turn->last_ns)
			return 0;
		if (turn->queued_ns)
			continue;
		if (is_sending(turn, cpu))
			leave_app(turn, cpu);
		turn->queued_ns = now;
		return 0;
	}
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
