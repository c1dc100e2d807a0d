/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* Which clients are measured: those that send to one address, and those of some processes; all of them where none is named. */
#ifndef TAUT_CLIENTS_H
#define TAUT_CLIENTS_H

#include "kernel_access.h"
#include <bpf/bpf_endian.h>

/* The address that they send to, as on the wire: of IPv6, or of IPv4 mapped into that; all zeros for any. */
const volatile __be32 remote[4] = {};
/* Only requests of these processes count. User space keeps them up to date, and makes room for them where some are chosen. */
const volatile bool chooses_clients = false;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} clients SEC(".maps");

#define MAPPED bpf_htonl(0xffff)

static __always_inline bool sends_to_remote(struct sock *sk)
{
	if (!(remote[0] | remote[1] | remote[2] | remote[3]))
		return true;
	if (READ(sk, __sk_common.skc_family) == AF_INET)
		return !remote[0] && !remote[1] && remote[2] == MAPPED && READ(sk, __sk_common.skc_daddr) == remote[3];
	/* A kernel without IPv6 has no such field. */
	return bpf_core_field_exists(sk->__sk_common.skc_v6_daddr) &&
	       READ(sk, __sk_common.skc_v6_daddr.in6_u.u6_addr32[0]) == remote[0] &&
	       READ(sk, __sk_common.skc_v6_daddr.in6_u.u6_addr32[1]) == remote[1] &&
	       READ(sk, __sk_common.skc_v6_daddr.in6_u.u6_addr32[2]) == remote[2] &&
	       READ(sk, __sk_common.skc_v6_daddr.in6_u.u6_addr32[3]) == remote[3];
}

/* Is it a request of the process that runs here that counts? */
static __always_inline bool is_chosen_client(void)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;

	return !chooses_clients || bpf_map_lookup_elem(&clients, &pid);
}

#endif
