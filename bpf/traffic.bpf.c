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

TRACEPOINT(tcp_rcv_space_adjust)
int BPF_PROG(count_read, struct sock *sk)
{
	struct service_port key = {
		.netns = READ(READ(sk, __sk_common.skc_net.net), ns.inum),
		.port = READ(sk, __sk_common.skc_num),
	};
	__u64 *count;

	count = bpf_map_lookup_elem(&reads, &key);
	if (count)
		__sync_fetch_and_add(count, 1);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
