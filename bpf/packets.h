/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * Paths of packets that are on their way: from the driver's hand-over to where protocols take them up, which may be on
 * another CPU, and from there through a socket's backlog. Tables by the packet's address: what another packet has
 * taken the place of is not known any more.
 */
#ifndef TAUT_PACKETS_H
#define TAUT_PACKETS_H

#include "context.h"

#define MAX_PACKETS 4096

struct kept_packet {
	__u64 address;	/* 0: none */
	__u64 dev;	/* packets of one device all come the same way: no stale path for another's, at the same address */
	__u32 epoch;
	struct packet_path path;
} __attribute__((aligned(64)));

/* Those that a driver has handed over, and those that protocols have taken up. */
extern struct kept_packet handed[MAX_PACKETS];
extern struct kept_packet received[MAX_PACKETS];

/* User space counts it up when it stops keeping packets, so that none is found later that is long gone. */
extern __u32 epoch;
/*
 * The last of cards' packets that protocols took up on a CPU. Drivers hand several over at once, all of which are taken up before TCP
 * gets the first (__netif_receive_skb_list_core in net/core/dev.c): GRO's batches have eight, if nobody has changed that.
 */
#define BATCH_PACKETS 8

struct batch {
	__u32 count;
	struct {
		__u64 address;
		struct packet_path path;
	} last[BATCH_PACKETS];
} __attribute__((aligned(128)));

extern struct batch batches[MAX_CPUS];

/* Set by user space while there may be requests that come by a socket's backlog. */
extern __u32 keeps_backlog;

/* The verifier lets nothing be done with a pointer but take the distance to another, which is as good a key. */
static __always_inline __u64 address_of(struct sk_buff *skb)
{
#ifdef TAUT_RAW
	return (__u64)skb;
#else
	return (__u64)skb - (__u64)handed;
#endif
}

/* Fibonacci hashing: addresses of packets differ in their middle bits. */
static __always_inline __u32 slot_of(__u64 address)
{
	return (address * 0x9e3779b97f4a7c15ULL >> 52) & (MAX_PACKETS - 1);
}

static __always_inline void keep_packet(struct kept_packet *table, struct sk_buff *skb, const struct packet_path *path)
{
	__u64 address = address_of(skb);
	struct kept_packet *slot = &table[slot_of(address)];

	/* Exchanges: neither the compiler nor the CPU moves a store across them, and a half-written path is not found. */
	if (slot->address)
		__sync_lock_test_and_set(&slot->address, 0);
	slot->dev = (__u64)READ(skb, dev);
	slot->epoch = epoch;
	slot->path = *path;
	__sync_lock_test_and_set(&slot->address, address);
}

static __always_inline struct batch *this_batch(void)
{
	return &batches[bpf_get_smp_processor_id() & (MAX_CPUS - 1)];
}

/* This CPU's last packet is a card's. */
static __always_inline void keep_in_batch(struct sk_buff *skb, const struct packet_path *path)
{
	struct batch *batch = this_batch();
	__u32 place = batch->count++ % BATCH_PACKETS;

	batch->last[place].address = address_of(skb);
	batch->last[place].path = *path;
}

/* The path of a packet that this CPU brings to its socket: of the last, if it is not known as another one of its batch. */
static __always_inline struct packet_path *find_path(struct sk_buff *skb, struct cpu_state *cpu)
{
	struct batch *batch = this_batch();
	__u64 address = address_of(skb);

	for (__u32 age = 1; cpu->is_card_packet && age <= BATCH_PACKETS; age++) {
		__u32 place = (batch->count - age) % BATCH_PACKETS;

		if (batch->last[place].address == address && batch->last[place].path.softirq_ns == cpu->softirq_ns)
			return &batch->last[place].path;
	}
	return &cpu->packet;
}

/* Gives the path, once; false when it is not there. Another CPU may put in another packet meanwhile. */
static __always_inline bool take_path(struct kept_packet *slot, __u64 address, struct packet_path *path)
{
	if (slot->epoch != epoch)
		return false;
	*path = slot->path;
	return __sync_val_compare_and_swap(&slot->address, address, 0) == address;
}

/* The path of a packet that a driver has handed over. */
static __always_inline bool take_handed(struct sk_buff *skb, struct packet_path *path)
{
	__u64 address = address_of(skb);
	struct kept_packet *slot = &handed[slot_of(address)];

	return slot->address == address && slot->dev == (__u64)READ(skb, dev) && take_path(slot, address, path);
}

/* The path of a packet that protocols have taken up; it knows no device any more. */
static __always_inline bool take_received(struct sk_buff *skb, struct packet_path *path)
{
	__u64 address = address_of(skb);
	struct kept_packet *slot = &received[slot_of(address)];

	return slot->address == address && take_path(slot, address, path);
}

#endif
