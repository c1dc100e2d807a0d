/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* The service that is measured: its ports, 0 where there are fewer, in one network namespace. */
#ifndef TAUT_TARGET_H
#define TAUT_TARGET_H

#include "kernel_access.h"

#define MAX_PORTS 4

extern const volatile __u16 ports[MAX_PORTS];
extern const volatile __u32 netns;

static __always_inline bool is_target_port(__u16 port)
{
	bool listed = false;

	for (int i = 0; i < MAX_PORTS; i++)
		listed |= ports[i] && port == ports[i];
	return listed;
}

/* Of any socket, also one that is no full socket. */
static __always_inline bool has_target_port(struct sock *sk, __u16 port)
{
	return is_target_port(port) && READ(READ(sk, __sk_common.skc_net.net), ns.inum) == netns;
}

static __always_inline bool is_service_socket(struct sock *sk)
{
	return has_target_port(sk, READ(sk, __sk_common.skc_num));
}

#endif
