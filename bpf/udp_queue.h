/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* Datagrams on sockets' queues: how each came, until it is read. */
#ifndef TAUT_UDP_QUEUE_H
#define TAUT_UDP_QUEUE_H

#include "datagrams.h"

/* Of all sockets, on their queues. */
#define MAX_ARRIVALS 4096

/*
 * A socket's datagrams are numbered as they come, and read in that order. A number that one side has missed (the kernel
 * dropped the datagram, or left a probe's run out) would shift all that follow, so both sides look for that.
 */
struct socket_queue {
	__u32 first;	/* those before were there before the probes */
	__u32 pushed;
	__u32 popped;
	__u32 least_lag;	/* that reading was behind at times when nothing else was on the queue */
	__u32 times;
	bool is_known;
};

/* So often nothing else was on the queue, and still some were not read: they never will be. */
#define LAG_TIMES 64

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct socket_queue);
} socket_queues SEC(".maps");

struct arrival_key {
	__u64 sock;
	__u64 number;
};

/* On the sockets' queues. User space makes this and the next smaller where they are not needed. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_ARRIVALS);
	__type(key, struct arrival_key);
	__type(value, struct datagram);
} arrivals SEC(".maps");

static __always_inline struct arrival_key make_key(struct sock *sk, __u32 number)
{
	/* The verifier lets nothing be done with a pointer but take the distance to another, which is as good a key. */
	return (struct arrival_key){ .sock = (__u64)sk - (__u64)cpus, .number = number };
}

static __always_inline __u32 count_unread(struct sock *sk)
{
	return sk->sk_receive_queue.qlen + BPF_CORE_READ((struct udp_sock *)sk, reader_queue.qlen);
}

/* Gives the socket's numbers, which begin behind those that were there before the probes. */
static __always_inline struct socket_queue *find_queue(struct sock *sk, __u32 seen)
{
	struct socket_queue *queue = bpf_sk_storage_get(&socket_queues, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);

	if (queue && !queue->is_known) {
		__u32 unread = count_unread(sk);

		queue->first = queue->pushed = unread > seen ? unread - seen : 0;
		queue->is_known = true;
	}
	return queue;
}

static __always_inline void mend_lag(struct socket_queue *queue, struct sock *sk, __u32 number)
{
	__u32 lag = number - queue->popped;

	if (count_unread(sk) > 1 || (__s32)lag < 0)
		return;
	if (!queue->times || lag < queue->least_lag)
		queue->least_lag = lag;
	if (++queue->times < LAG_TIMES)
		return;
	queue->times = 0;
	__sync_fetch_and_add(&queue->popped, queue->least_lag);
}

static __always_inline void count_unseen(void)
{
	struct metrics *m = this_metrics();

	if (m)
		__sync_fetch_and_add(&m->lost_unseen, 1);
}

/* The one side finds what the other has left, and goes on. */
static __always_inline struct datagram *meet(const struct arrival_key *key, const struct datagram *datagram)
{
	return bpf_map_update_elem(&arrivals, key, datagram, BPF_NOEXIST) ? bpf_map_lookup_elem(&arrivals, key) : NULL;
}

#endif
