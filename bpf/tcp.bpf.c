// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Requests of TCP servers. A connection's state goes round: IDLE, its first payload arrives: ARRIVED, the
 * service has read some of it: READ, the first packet of the reply goes to the driver: IDLE again. The handlers
 * that change it run under the socket's lock, but for reply_is_queued, which says how it copes, and for
 * packet_is_sent when a qdisc held the packet: it then runs on whichever CPU dequeues.
 */
#include "context.h"
#include "finish.h"

const volatile __u16 ports[MAX_PORTS] = {};
const volatile __u32 netns = 0;

static __always_inline bool is_target(struct sock *sk)
{
	__u16 port = sk->__sk_common.skc_num;
	bool listed = false;

	for (int i = 0; i < MAX_PORTS; i++)
		listed |= ports[i] && port == ports[i];
	/* Only these states belong to a full socket with a stream in it: no listener, no request socket. */
	return listed &&
	       (1u << sk->__sk_common.skc_state &
		(1u << TCP_ESTABLISHED | 1u << TCP_FIN_WAIT1 | 1u << TCP_FIN_WAIT2 | 1u << TCP_CLOSE_WAIT |
		 1u << TCP_LAST_ACK | 1u << TCP_CLOSING)) &&
	       sk->sk_protocol == IPPROTO_TCP && sk->__sk_common.skc_net.net->ns.inum == netns;
}

/* Bytes that arrived in order and were not read. A FIN takes one sequence number and is no payload. */
static __always_inline __u32 unread(struct sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

	if (!tp)
		return 0;
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

static __always_inline void arrive(struct arrival *arrival, struct sock *sk)
{
	struct cpu_state *cpu = this_cpu();
	/* From the backlog: the packet came at an unknown time. */
	bool in_softirq = !is_locked(sk);

	arrival->softirq_ns = in_softirq ? cpu->softirq_ns : 0;
	arrival->receive_ns = in_softirq ? cpu->receive_ns : 0;
	arrival->ready_ns = bpf_ktime_get_ns();
	arrival->cpu = bpf_get_smp_processor_id();
}

static __always_inline void begin(struct connection *conn)
{
	struct metrics *m = this_metrics();

	conn->state = ARRIVED;
	if (m)
		__sync_fetch_and_add(&m->begun, 1);
}

SEC("tp_btf/sk_data_ready")
int BPF_PROG(payload_is_ready, struct sock *sk)
{
	struct connection *conn;

	if (!is_target(sk))
		return 0;
	if (sk->sk_shutdown & RCV_SHUTDOWN && !unread(sk))
		return 0;
	conn = bpf_sk_storage_get(&connections, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!conn) {
		struct metrics *m = this_metrics();

		if (m)
			__sync_fetch_and_add(&m->lost_map_full, 1);
		return 0;
	}
	if (conn->state == IDLE) {
		arrive(&conn->arrival, sk);
		begin(conn);
	} else if (conn->state == READ && !conn->next.ready_ns) {
		arrive(&conn->next, sk);
	}
	return 0;
}

/* Called after each stretch of payload that recv, read, splice and their like have taken off the queue. */
SEC("tp_btf/tcp_rcv_space_adjust")
int BPF_PROG(payload_was_copied, struct sock *sk)
{
	struct connection *conn;
	struct cpu_state *cpu;
	__u64 now;

	if (!is_target(sk))
		return 0;
	conn = bpf_sk_storage_get(&connections, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!conn)
		return 0;
	/*
	 * Nobody saw it arrive: it came before the probes did, or payload_is_ready was not run for it. That was seen
	 * under RPS, for a few in a thousand; why is not known. The request is counted, from here on.
	 */
	if (conn->state == IDLE) {
		arrive_now(&conn->arrival);
		begin(conn);
	}
	cpu = this_cpu();
	now = bpf_ktime_get_ns();
	if (!cpu->tid)
		adopt_current(cpu, now);
	if (conn->state == ARRIVED) {
		conn->run_ns = cpu->run.wait_on_ns > conn->arrival.ready_ns &&
				       cpu->run.wait_entry_ns <= conn->arrival.ready_ns ?
			       cpu->run.wait_on_ns : 0;
		conn->recv_entry_ns = cpu->run.entry_ns;
		conn->first_ns = now;
		conn->state = READ;
		conn->send_entry_ns = 0;
		conn->queued_ns = 0;
		conn->recv_cpu = bpf_get_smp_processor_id();
	} else if (conn->recv_entry_ns == cpu->run.entry_ns && conn->recv_off_ns == cpu->run.off_ns &&
		   conn->reader == cpu->tid) {
		conn->first_ns = now;	/* the same call goes on copying */
	}
	conn->last_ns = now;
	conn->recv_off_ns = cpu->run.off_ns;
	conn->reader = cpu->tid;
	conn->more = unread(sk) != 0;
	if (!conn->more)
		conn->next.ready_ns = 0;	/* what came meanwhile was a part of this request */
	return 0;
}

/*
 * Whether the packet carries payload: ACKs, window probes and a bare FIN do not. TCP keeps payload in page fragments,
 * which only devices without scatter-gather make linear.
 */
static __always_inline bool has_payload(struct sk_buff *skb)
{
	unsigned char *tcp;
	__u8 data_offset;

	if (skb->data_len)
		return true;
	tcp = skb->head + skb->transport_header;
	if (bpf_probe_read_kernel(&data_offset, 1, tcp + 12))
		return false;
	return skb->len > (tcp - skb->data) + (data_offset >> 4) * 4;
}

/* Is this the service's own send call, or had the reply to wait, for an ACK or for the qdisc? */
static __always_inline bool is_sending(struct connection *conn, struct sock *sk, struct cpu_state *cpu)
{
	return !conn->send_entry_ns && is_locked(sk) && cpu->tid && cpu->run.entry_ns >= conn->last_ns;
}

SEC("tp_btf/net_dev_start_xmit")
int BPF_PROG(packet_is_sent, struct sk_buff *skb)
{
	struct sock *sk = skb->sk;
	struct connection *conn;
	struct cpu_state *cpu;

	if (!sk || !is_target(sk))
		return 0;
	conn = bpf_sk_storage_get(&connections, sk, NULL, 0);
	if (!conn || conn->state != READ || !has_payload(skb))
		return 0;
	cpu = this_cpu();
	if (is_sending(conn, sk, cpu)) {
		leave_app(conn, cpu);
		cpu->replied_sk = (__u64)sk;
	}
	bool more = conn->more || conn->next.ready_ns;

	finish(conn, bpf_ktime_get_ns(), more);
	conn->state = IDLE;
	if (more) {
		if (conn->next.ready_ns)
			conn->arrival = conn->next;
		else
			arrive_now(&conn->arrival);
		begin(conn);
	}
	conn->next.ready_ns = 0;
	return 0;
}

/*
 * The end of a send call whose reply did not leave at once (Nagle, congestion window, qdisc): keeps when the
 * call was made. The socket is unlocked here; if the reply leaves on another CPU in this very moment, the
 * request is complete without a send stage.
 */
SEC("tp_btf/sock_send_length")
int BPF_PROG(reply_is_queued, struct sock *sk, int ret)
{
	struct cpu_state *cpu = this_cpu();
	struct connection *conn;

	if (cpu->replied_sk == (__u64)sk) {
		cpu->replied_sk = 0;
		return 0;
	}
	if (ret <= 0 || !cpu->tid || !is_target(sk))
		return 0;
	conn = bpf_sk_storage_get(&connections, sk, NULL, 0);
	if (conn && conn->state == READ && !conn->send_entry_ns && cpu->run.entry_ns >= conn->last_ns)
		leave_app(conn, cpu);
	return 0;
}

SEC("tp_btf/qdisc_enqueue")
int BPF_PROG(packet_is_enqueued, struct Qdisc *qdisc, const struct netdev_queue *txq, struct sk_buff *skb)
{
	struct sock *sk = skb->sk;
	struct connection *conn;
	struct cpu_state *cpu;

	if (!sk || !is_target(sk))
		return 0;
	conn = bpf_sk_storage_get(&connections, sk, NULL, 0);
	if (!conn || conn->state != READ || conn->queued_ns || !has_payload(skb))
		return 0;
	cpu = this_cpu();
	if (is_sending(conn, sk, cpu))
		leave_app(conn, cpu);
	conn->queued_ns = bpf_ktime_get_ns();
	return 0;
}

/* The port may be gone from a closing socket, so the filter is the connection's state itself. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(connection_changes, struct sock *sk, int oldstate, int newstate)
{
	struct connection *conn;
	struct metrics *m;

	if (newstate != TCP_CLOSE || sk->sk_protocol != IPPROTO_TCP || oldstate == TCP_LISTEN)
		return 0;
	conn = bpf_sk_storage_get(&connections, sk, NULL, 0);
	if (!conn || conn->state == IDLE)
		return 0;
	conn->state = IDLE;
	m = this_metrics();
	if (m)
		__sync_fetch_and_add(&m->unanswered, 1);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
