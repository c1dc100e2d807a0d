// SPDX-License-Identifier: MIT OR GPL-2.0
/* Which service has the most traffic? Counts reads of payload, for listening ports only, while attached. */
#include "traffic.h"
#include "kernel_access.h"
#include <bpf/bpf_tracing.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct service_port);
	__type(value, __u64);
} reads SEC(".maps");

static __always_inline void count(struct sock *sk, __u16 protocol)
{
	struct service_port key = {
		.netns = READ(READ(sk, __sk_common.skc_net.net), ns.inum),
		.port = READ(sk, __sk_common.skc_num),
		.protocol = protocol,
	};
	__u64 *reads_so_far = bpf_map_lookup_elem(&reads, &key);

	if (reads_so_far)
		__sync_fetch_and_add(reads_so_far, 1);
}

TRACEPOINT(tcp_rcv_space_adjust)
int BPF_PROG(count_read, struct sock *sk)
{
	count(sk, IPPROTO_TCP);
	return 0;
}

/* The end of each receiving call of any socket, since Linux 6.3; of older kernels' UDP nothing is counted. */
TRACEPOINT(sock_recv_length)
int BPF_PROG(count_datagram, struct sock *sk, int ret, int flags)
{
	if (ret >= 0 && !(flags & (MSG_PEEK | MSG_ERRQUEUE)) && READ(sk, sk_protocol) == IPPROTO_UDP)
		count(sk, IPPROTO_UDP);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
