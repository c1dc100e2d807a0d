/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* A TCP socket's stream, whichever side it is on: what has arrived, who reads it, what a packet carries. */
#ifndef TAUT_STREAM_H
#define TAUT_STREAM_H

#include "finish.h"
#include "packets.h"
#include <bpf/bpf_endian.h>

/* As many have state where nothing in the kernel keeps it for a socket. */
#define MAX_CONNECTIONS 65536

/* Sequence numbers go round. */
static __always_inline bool is_after(__u32 a, __u32 b)
{
	return (__s32)(a - b) > 0;
}

/* Only these states belong to a full socket with a stream in it: no listener, no request socket. */
static __always_inline bool is_stream(struct sock *sk)
{
	return (1u << READ(sk, __sk_common.skc_state) &
		(1u << TCP_ESTABLISHED | 1u << TCP_FIN_WAIT1 | 1u << TCP_FIN_WAIT2 | 1u << TCP_CLOSE_WAIT |
		 1u << TCP_LAST_ACK | 1u << TCP_CLOSING)) &&
	       READ(sk, sk_protocol) == IPPROTO_TCP;
}

/* Bytes that arrived in order and were not read. A FIN takes one sequence number and is no payload. */
static __always_inline __u32 unread(struct sock *sk, struct tcp_sock *tp)
{
	__u32 bytes = READ(tp, rcv_nxt) - READ(tp, copied_seq);

	return bytes && READ(sk, sk_shutdown) & RCV_SHUTDOWN ? bytes - 1 : bytes;
}

/*
 * A socket that a thread has locked is in that thread's hands: no softirq takes in its packets or sends them
 * (sock_owned_by_user in include/net/sock.h); the thread does, working off the backlog when it lets go.
 */
static __always_inline bool is_locked(struct sock *sk)
{
	return READ(sk, sk_lock.owned);
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
	__u64 start = (__u64)READ(skb, head) + READ(skb, transport_header);

	if (bpf_probe_read_kernel(tcp, sizeof(*tcp), (void *)start))
		return false;
	*payload = READ(skb, len) - (__u32)(start - (__u64)READ(skb, data)) - (tcp->data_offset >> 4) * 4;
	return true;
}

/* Out of the backlog: the way of the packet is known if somebody kept it. */
static __always_inline bool take_backlogged(struct sk_buff *skb, struct packet_path *path)
{
	COUNT(backlogged);
	if (keeps_backlog && take_received(skb, path))
		return true;
	COUNT(begun_late);
	return false;
}

/* The kernel's own hash of the connection's two ends, mixed: a client's that differ by their port alone differ by it there. */
static __always_inline __u32 hash_of(struct sock *sk)
{
	return READ(sk, __sk_common.skc_hash) * 0x9e3779b1U;
}

static __always_inline void arrive(struct arrival *arrival, struct sock *sk, struct sk_buff *skb)
{
	arrival->generation = generation_of(hash_of(sk));
	arrival->cpu = bpf_get_smp_processor_id();
	if (!is_locked(sk)) {
		arrival->path = *find_path(skb, this_cpu());
	} else if (take_backlogged(skb, &arrival->path)) {
		arrival->cpu = arrival->path.cpu;
	} else {
		arrival->path = (struct packet_path){};
		arrival->cpu = NO_CPU;
	}
	arrival->ready_ns = arrival->generation ? 0 : begin_of(arrival);
	/* Looking at the clock is dear: of a request that is not followed in depth the begin is enough. */
	if (!arrival->ready_ns)
		arrival->ready_ns = bpf_ktime_get_ns();
}

/* A socket tells that payload is ready also at the end of the peer's stream, which is none. */
static __always_inline bool is_bare_end(struct sock *sk, struct tcp_sock *tp)
{
	return READ(sk, sk_shutdown) & RCV_SHUTDOWN && !unread(sk, tp);
}

/* Does the packet bring the payload that comes next? */
static __always_inline bool brings_payload(struct sk_buff *skb, struct tcp_sock *tp)
{
	struct tcp_header tcp;
	__u32 payload;

	if (!read_header(skb, &tcp, &payload) || !payload)
		return false;
	return !is_after(bpf_ntohl(tcp.seq), READ(tp, rcv_nxt)) &&
	       is_after(bpf_ntohl(tcp.seq) + payload, READ(tp, rcv_nxt));
}

/*
 * Has anything been taken off the queue since the last time, or if there was none, since TCP last looked at how fast the
 * reader is? Peeking takes nothing, and splice and zero copy say that they have read also where nothing is.
 */
static __always_inline bool has_read(struct sock *sk, struct tcp_sock *tp, __u32 *last_copied)
{
	__u32 copied = READ(tp, copied_seq);

	/* Splice takes the FIN as well, which is no payload. */
	if (copied == READ(tp, rcv_nxt) && READ(sk, sk_shutdown) & RCV_SHUTDOWN)
		copied--;
	if (copied == (*last_copied ?: READ(tp, rcvq_space.seq)))
		return false;
	*last_copied = copied;
	return true;
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

/* The thread that has the socket in its hands, as a number in `tid` and by what is known of it. */
static __always_inline const struct thread_run *find_thread(struct sock *sk, __u64 now, __u32 *tid)
{
	struct cpu_state *cpu = this_cpu();

	*tid = 0;
	if (!is_locked(sk))
		return &no_thread;
	if (!cpu->tid)
		adopt_current(cpu, now);
	*tid = cpu->tid;
	return cpu->tid ? &cpu->run : &no_thread;
}

/* In a tunnel's packet the header in hand is another. */
static __always_inline bool find_payload(struct sk_buff *skb, struct sock *sk, __u32 *end)
{
	struct tcp_header tcp;
	__u32 payload;

	if (!read_header(skb, &tcp, &payload))
		return false;
	*end = bpf_ntohl(tcp.seq) + payload;
	return payload && bpf_ntohs(tcp.source) == READ(sk, __sk_common.skc_num);
}

#endif
