/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* Whom a datagram comes from or goes to, out of its headers. */
#ifndef TAUT_PEER_H
#define TAUT_PEER_H

#include "kernel_types.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct peer {
	__u8 address[16];	/* IPv4 in the first four */
	__be16 port;
	__be16 local_port;
	__u32 version;
};

/* A peer's packets belong together as a connection's do. */
static __always_inline __u64 hash_of(const struct peer *peer)
{
	const __u32 *words = (const __u32 *)peer;
	__u64 hash = 0;

	for (int i = 0; i < sizeof(*peer) / sizeof(*words); i++)
		hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15ULL;
	return hash;
}

/* As they are on the wire, as far as they matter. */
struct ipv4_header {
	__u8 version;		/* in its upper half; in the lower, the length in words of four bytes */
	__u8 tos[5];
	__be16 fragment;	/* where in the whole it begins, in its lower bits */
	__u8 ttl;
	__u8 protocol;
	__u8 checksum[2];
	__u8 source[4];
	__u8 dest[4];
};

#define IP_OFFSET 0x1fff
#define IP_MORE_FRAGMENTS 0x2000

struct ipv6_header {
	__u8 version;
	__u8 flow[5];
	__u8 protocol;
	__u8 hops;
	__u8 source[16];
	__u8 dest[16];
};

#define NEXTHDR_FRAGMENT 44
#define IP6_OFFSET 0xfff8
#define IP6_FRAGMENT_SIZE 8

struct ipv6_fragment {
	__u8 protocol;
	__u8 reserved;
	__be16 fragment;	/* where in the whole it begins, in its upper bits */
};

struct udp_ports {
	__be16 source;
	__be16 dest;
};

/* A packet that has gone through IP: where its headers are. */
struct headers {
	__u64 network;
	__u64 transport;
};

static __always_inline struct headers find_headers(const struct sk_buff *skb)
{
	__u64 head = (__u64)BPF_CORE_READ(skb, head);

	return (struct headers){
		.network = head + BPF_CORE_READ(skb, network_header),
		.transport = head + BPF_CORE_READ(skb, transport_header),
	};
}

/* Is it the first fragment of a datagram? The others have none of UDP's header. */
static __always_inline bool begins_datagram(__u64 fragment_header)
{
	struct ipv6_fragment header;

	return !bpf_probe_read_kernel(&header, sizeof(header), (void *)fragment_header) &&
	       header.protocol == IPPROTO_UDP && !(header.fragment & bpf_htons(IP6_OFFSET));
}

/*
 * Gives who sent the datagram, or whom it goes to. False if it is no UDP, a later fragment, or behind other extension
 * headers.
 */
static __always_inline bool find_peer(const struct headers *headers, bool is_request, struct peer *peer)
{
	union {
		struct ipv4_header v4;
		struct ipv6_header v6;
	} ip;
	struct udp_ports udp;

	__builtin_memset(peer, 0, sizeof(*peer));
	if (bpf_probe_read_kernel(&udp, sizeof(udp), (void *)headers->transport) ||
	    bpf_probe_read_kernel(&ip.v4, sizeof(ip.v4), (void *)headers->network))
		return false;
	peer->version = ip.v4.version >> 4;
	peer->port = is_request ? udp.source : udp.dest;
	peer->local_port = is_request ? udp.dest : udp.source;
	if (peer->version == 4) {
		__builtin_memcpy(peer->address, is_request ? ip.v4.source : ip.v4.dest, sizeof(ip.v4.source));
		return ip.v4.protocol == IPPROTO_UDP && !(ip.v4.fragment & bpf_htons(IP_OFFSET));
	}
	if (bpf_probe_read_kernel(&ip.v6, sizeof(ip.v6), (void *)headers->network))
		return false;
	__builtin_memcpy(peer->address, is_request ? ip.v6.source : ip.v6.dest, sizeof(ip.v6.source));
	return ip.v6.protocol == IPPROTO_UDP || (ip.v6.protocol == NEXTHDR_FRAGMENT &&
						 begins_datagram(headers->network + sizeof(ip.v6)));
}

/*
 * The same of a packet that has not gone through IP yet: it begins with that header. Of a fragment, whose datagram is not whole
 * yet, it is true only where first fragments are wanted.
 */
static __always_inline bool find_arriving_peer(__u64 data, bool first_fragments, struct peer *peer)
{
	struct headers headers = { .network = data };
	union {
		struct ipv4_header v4;
		struct ipv6_header v6;
	} ip;

	/* As much as there is of both. */
	if (bpf_probe_read_kernel(&ip.v4, sizeof(ip.v4), (void *)data))
		return false;
	switch (ip.v4.version >> 4) {
	case 4:
		if (ip.v4.protocol != IPPROTO_UDP ||
		    (ip.v4.fragment & bpf_htons(IP_MORE_FRAGMENTS) && !first_fragments))
			return false;
		headers.transport = data + (ip.v4.version & 0xf) * 4;
		break;
	case 6:
		headers.transport = data + sizeof(ip.v6);
		if (ip.v6.protocol == IPPROTO_UDP)
			break;
		if (ip.v6.protocol != NEXTHDR_FRAGMENT || !first_fragments)
			return false;
		headers.transport += IP6_FRAGMENT_SIZE;
		break;
	default:
		return false;
	}
	return find_peer(&headers, true, peer);
}

#endif
