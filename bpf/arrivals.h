/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * Datagrams for the service that have come to IP, until they are known to be on its socket. What a CPU puts on a socket's
 * queue is what it has taken up last; but cards' drivers hand over several packets at once, all of which protocols take up
 * before IP gets the first (__netif_receive_skb_list_core in net/core/dev.c), and since Linux 6.18 (b650bf0977d3) it may be
 * what other CPUs have left to it. Then it goes by what the kernel writes into a packet that it puts on a socket.
 */
#ifndef TAUT_ARRIVALS_H
#define TAUT_ARRIVALS_H

#include "kernel_compat.h"
#include "packets.h"
#include "peer.h"
#include "target.h"

/* Of a CPU, the last ones. */
#define MAX_ARRIVALS 16
/* What is not on a socket by then never gets there: something in the kernel has dropped it. */
#define ARRIVAL_NS 100000000ULL

struct incoming {
	struct peer peer;
	struct packet_path path;
	__u64 address;
	__u64 head;	/* of its data */
	bool becomes_several;	/* sockets get copies or parts of it */
	__u32 state;		/* written last */
};

enum incoming_state {
	EXPECTED,
	CLAIMED,	/* it is on a socket */
	DROPPED_BEFORE,	/* ... or will never be */
};

struct arrivals {
	__u32 count;
	struct incoming last[MAX_ARRIVALS];
};

/* One a CPU: user space makes it as large. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct arrivals);
} arrivals SEC(".maps") __weak;

static __always_inline struct arrivals *arrivals_of(__u32 cpu)
{
	return bpf_map_lookup_elem(&arrivals, &cpu);
}

static __always_inline struct incoming *latest_of(struct arrivals *arrivals)
{
	return &arrivals->last[(arrivals->count - 1) % MAX_ARRIVALS];
}

static __always_inline bool becomes_several(const struct sk_buff *skb)
{
	__u32 type = BPF_CORE_READ_BITFIELD_PROBED(skb, pkt_type);

	return type == PACKET_BROADCAST || type == PACKET_MULTICAST || type == PACKET_LOOPBACK || segment_size_of(skb);
}

/* Nothing tells what comes to a socket: a datagram is there with the first packet of it that comes to IP. */
extern const volatile bool begins_at_ip;

/* Protocols take up a packet, whose path is this CPU's last. */
static __always_inline void expect_datagram(struct sk_buff *skb, const struct cpu_state *cpu)
{
	struct arrivals *arrivals;
	struct incoming *incoming;
	struct peer peer;

	if (!find_arriving_peer((__u64)READ(skb, data), begins_at_ip, &peer) || !is_target_port(bpf_ntohs(peer.local_port)) ||
	    READ(READ(READ(skb, dev), nd_net.net), ns.inum) != netns)
		return;
	arrivals = arrivals_of(bpf_get_smp_processor_id());
	if (!arrivals)
		return;
	incoming = latest_of(arrivals);
	/* A bridge hands the same packet up again. */
	if (incoming->address != cpu->packet_address || incoming->path.receive_ns != cpu->packet.receive_ns)
		incoming = &arrivals->last[arrivals->count++ % MAX_ARRIVALS];
	else if (incoming->state != EXPECTED)
		return;
	/* Exchanges, as others look for what is not claimed meanwhile. */
	__sync_lock_test_and_set(&incoming->state, CLAIMED);
	incoming->peer = peer;
	incoming->path = cpu->packet;
	incoming->address = cpu->packet_address;
	incoming->head = (__u64)READ(skb, head);
	incoming->becomes_several = becomes_several(skb);
	__sync_lock_test_and_set(&incoming->state, EXPECTED);
}

/* False if somebody else was faster. */
static __always_inline bool claim(struct incoming *incoming)
{
	return __sync_val_compare_and_swap(&incoming->state, EXPECTED, CLAIMED) == EXPECTED;
}

/* The kernel drops a packet, as the socket is full or for another reason. */
static __always_inline void drop_arrival(__u64 address)
{
	struct arrivals *arrivals = arrivals_of(bpf_get_smp_processor_id());

	for (__u32 place = 0; arrivals && place < MAX_ARRIVALS; place++) {
		if (arrivals->last[place].address == address)
			__sync_val_compare_and_swap(&arrivals->last[place].state, EXPECTED, DROPPED_BEFORE);
	}
}

/* udp_set_dev_scratch in net/ipv4/udp.c, since Linux 4.13 */
#define TRUESIZE ~(1U << 31)

/*
 * Has the kernel put it on a socket of UDP's? Where its device was it then has its size, also when it was read, until its memory is
 * used again.
 */
static __always_inline bool is_on_socket(const struct sk_buff *skb)
{
	__u32 size = 0;

	bpf_core_read(&size, sizeof(size), &skb->dev);
	return size && (size & TRUESIZE) == BPF_CORE_READ(skb, truesize);
}

/* The same of one that is expected, and not of another peer's packet, which has other ports, at its address. */
static __always_inline bool is_delivered(const struct incoming *incoming)
{
	const struct sk_buff *skb = (const struct sk_buff *)incoming->address;
	struct udp_ports ports;

	return is_on_socket(skb) &&
	       !bpf_probe_read_kernel(&ports, sizeof(ports), (void *)find_headers(skb).transport) &&
	       ports.source == incoming->peer.port && ports.dest == incoming->peer.local_port;
}

/* Is it still on its way, in a batch that IP has not got yet, or in the hands of whoever copies or segments it? */
static __always_inline bool is_in_hand(const struct incoming *incoming)
{
	const struct sk_buff *skb = (const struct sk_buff *)incoming->address;

	return (__u64)READ_UNTYPED(skb, head) == incoming->head && !is_on_socket(skb);
}

/*
 * What this CPU has put on one of the port's sockets last; of a batch, those that IP has not got yet are behind it. Older ones that
 * nobody has claimed came before there were probes, or the kernel left a probe's run out. Gives its place, or -1.
 */
__weak __noinline int find_delivered(__u32 port)
{
	struct arrivals *arrivals = arrivals_of(bpf_get_smp_processor_id());
	__u64 now = bpf_ktime_get_ns();

	for (__u32 age = 1; arrivals && age <= MAX_ARRIVALS; age++) {
		__u32 place = (arrivals->count - age) % MAX_ARRIVALS;
		struct incoming *incoming = &arrivals->last[place];

		if (incoming->state == CLAIMED || now - incoming->path.receive_ns >= ARRIVAL_NS)
			break;
		if (incoming->state == EXPECTED && bpf_ntohs(incoming->peer.local_port) == port && is_delivered(incoming))
			return place;
	}
	return -1;
}

/* The last that this CPU has taken up of a peer. Gives its place, or -1. */
__weak __noinline int find_last_of(const struct peer *peer)
{
	struct arrivals *arrivals = arrivals_of(bpf_get_smp_processor_id());
	__u64 now = bpf_ktime_get_ns(), hash;

	if (!peer)
		return -1;
	hash = hash_of(peer);
	for (__u32 age = 1; arrivals && age <= MAX_ARRIVALS; age++) {
		__u32 place = (arrivals->count - age) % MAX_ARRIVALS;
		struct incoming *incoming = &arrivals->last[place];

		if (now - incoming->path.receive_ns >= ARRIVAL_NS)
			break;
		if (incoming->state != DROPPED_BEFORE && hash_of(&incoming->peer) == hash)
			return place;
	}
	return -1;
}

/* The search for what has waited for longest to be claimed. */
struct search {
	__u64 now;
	__u64 receive_ns;	/* of what was found */
	__u32 cpu;
	__u32 place;
	__u16 port;
	bool is_delivered;	/* only what is known to be on a socket */
};

static int search_cpu(__u32 cpu, struct search *search)
{
	struct arrivals *arrivals = arrivals_of(cpu);

	if (!arrivals)
		return 1;
	for (__u32 place = 0; place < MAX_ARRIVALS; place++) {
		struct incoming *incoming = &arrivals->last[place];
		__u64 ns = incoming->path.receive_ns;

		if (incoming->state != EXPECTED || bpf_ntohs(incoming->peer.local_port) != search->port ||
		    search->now - ns >= ARRIVAL_NS || ns >= search->receive_ns ||
		    (search->is_delivered ? !is_delivered(incoming) : is_in_hand(incoming)))
			continue;
		search->receive_ns = ns;
		search->cpu = cpu;
		search->place = place;
	}
	return 0;
}

#define MAX_TRIES 3

/*
 * Somebody has left it to this CPU to put it on the socket; with `delivered` only what is known to be there, as what is forwarded never
 * comes; else also what was read, and its memory is another's. A global function, as others here: the verifier follows its loops once,
 * and not for each way that leads to it.
 */
__weak __noinline int claim_left(struct incoming *claimed, __u32 port, int delivered)
{
	if (!claimed || !bpf_core_field_exists(((struct udp_sock *)0)->udp_prod_queue))
		return false;
	for (int i = 0; i < MAX_TRIES; i++) {
		struct search search = {
			.now = bpf_ktime_get_ns(),
			.receive_ns = ~0ULL,
			.port = port,
			.is_delivered = delivered,
		};
		struct arrivals *arrivals;
		struct incoming *incoming;

		bpf_loop(MAX_CPUS, search_cpu, &search, 0);
		arrivals = search.receive_ns == ~0ULL ? NULL : arrivals_of(search.cpu);
		if (!arrivals)
			return false;
		incoming = &arrivals->last[search.place % MAX_ARRIVALS];
		*claimed = *incoming;
		if (claim(incoming))
			return true;
	}
	return false;
}

/* What this CPU has taken up last, if it is on its way to the socket's port; NULL if not. */
static __always_inline struct incoming *find_own(const struct cpu_state *cpu, __u16 port)
{
	struct arrivals *arrivals = arrivals_of(bpf_get_smp_processor_id());
	struct incoming *own;

	if (!arrivals)
		return NULL;
	own = latest_of(arrivals);
	return own->path.receive_ns == cpu->packet.receive_ns && bpf_ntohs(own->peer.local_port) == port ? own : NULL;
}

static __always_inline struct incoming *place_of(int place)
{
	struct arrivals *arrivals = arrivals_of(bpf_get_smp_processor_id());

	if (!arrivals || place < 0)
		return NULL;
	/* The verifier wants the address to be computed behind the check. */
	barrier_var(place);
	return &arrivals->last[(__u32)place % MAX_ARRIVALS];
}

#endif
