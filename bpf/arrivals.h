/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * Datagrams for the service that have come to IP, until they are known to be on its socket. What a CPU puts on a socket's
 * queue is what it has taken up last; but cards' drivers hand over several packets at once, all of which protocols take up
 * before IP gets the first (__netif_receive_skb_list_core in net/core/dev.c), and since Linux 6.18 (b650bf0977d3) it may be
 * what other CPUs have left to it. Then it goes by what the kernel writes into a packet that it puts on a socket.
 */
#ifndef TAUT_ARRIVALS_H
#define TAUT_ARRIVALS_H

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
	__u32 is_claimed;	/* written last: it is on a socket, or will never be */
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
	else if (incoming->is_claimed)
		return;
	/* Exchanges, as others look for what is not claimed meanwhile. */
	__sync_lock_test_and_set(&incoming->is_claimed, true);
	incoming->peer = peer;
	incoming->path = cpu->packet;
	incoming->address = cpu->packet_address;
	__sync_lock_test_and_set(&incoming->is_claimed, false);
}

/* False if somebody else was faster. */
static __always_inline bool claim(struct incoming *incoming)
{
	return !__sync_lock_test_and_set(&incoming->is_claimed, true);
}

/* The kernel drops a packet, as the socket is full or for another reason. */
static __always_inline void drop_arrival(__u64 address)
{
	struct arrivals *arrivals = arrivals_of(bpf_get_smp_processor_id());

	for (__u32 place = 0; arrivals && place < MAX_ARRIVALS; place++) {
		if (arrivals->last[place].address == address)
			claim(&arrivals->last[place]);
	}
}

/* udp_set_dev_scratch in net/ipv4/udp.c, since Linux 4.13 */
#define TRUESIZE ~(1U << 31)

/*
 * Has the kernel put it on a socket? Where its device was it then has its size. Another packet may have its address since, but has
 * other ports.
 */
static __always_inline bool is_delivered(const struct incoming *incoming)
{
	const struct sk_buff *skb = (const struct sk_buff *)incoming->address;
	struct udp_ports ports;
	__u32 size = 0;

	bpf_core_read(&size, sizeof(size), &skb->dev);
	return size && (size & TRUESIZE) == BPF_CORE_READ(skb, truesize) &&
	       !bpf_probe_read_kernel(&ports, sizeof(ports), (void *)find_headers(skb).transport) &&
	       ports.source == incoming->peer.port && ports.dest == incoming->peer.local_port;
}

/*
 * The oldest of those that this CPU has put on the port's sockets since the last that was claimed; NULL if there is none. Behind it may
 * be those of the same batch that IP has not got yet. Gives its place, or -1.
 */
__weak __noinline int find_delivered(__u32 port)
{
	struct arrivals *arrivals = arrivals_of(bpf_get_smp_processor_id());
	int found = -1;

	for (__u32 age = 1; arrivals && age <= MAX_ARRIVALS; age++) {
		__u32 place = (arrivals->count - age) % MAX_ARRIVALS;
		struct incoming *incoming = &arrivals->last[place];

		if (incoming->is_claimed)
			break;
		if (bpf_ntohs(incoming->peer.local_port) == port && is_delivered(incoming))
			found = place;
	}
	return found;
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

		if (incoming->is_claimed || bpf_ntohs(incoming->peer.local_port) != search->port ||
		    search->now - ns >= ARRIVAL_NS || ns >= search->receive_ns ||
		    (search->is_delivered && !is_delivered(incoming)))
			continue;
		search->receive_ns = ns;
		search->cpu = cpu;
		search->place = place;
	}
	return 0;
}

#define MAX_TRIES 3

static __always_inline void search_all(struct search *search)
{
	search->receive_ns = ~0ULL;
	bpf_loop(MAX_CPUS, search_cpu, search, 0);
}

/*
 * Somebody has left it to this CPU to put it on the socket. What never comes there, as it is forwarded, is looked at last. A global
 * function, as others here: the verifier follows its loops once, and not for each way that leads to it.
 */
__weak __noinline int claim_left(struct incoming *claimed, __u32 port)
{
	if (!claimed)
		return false;
	for (int i = 0; i < MAX_TRIES; i++) {
		struct search search = { .now = bpf_ktime_get_ns(), .port = port, .is_delivered = true };
		struct arrivals *arrivals;
		struct incoming *incoming;

		search_all(&search);
		if (search.receive_ns == ~0ULL) {
			search.is_delivered = false;
			search_all(&search);
		}
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

/* What this CPU has put on the port's socket, or else has taken up last if it is on its way there; NULL if that is not. */
static __always_inline struct incoming *find_own(const struct cpu_state *cpu, __u16 port)
{
	struct arrivals *arrivals = arrivals_of(bpf_get_smp_processor_id());
	int delivered = find_delivered(port);
	struct incoming *own;

	if (!arrivals)
		return NULL;
	if (delivered >= 0)
		return &arrivals->last[delivered % MAX_ARRIVALS];
	own = latest_of(arrivals);
	return own->path.receive_ns == cpu->packet.receive_ns && bpf_ntohs(own->peer.local_port) == port ? own : NULL;
}

#endif
