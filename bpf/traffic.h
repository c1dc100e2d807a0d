/* SPDX-License-Identifier: MIT OR GPL-2.0 */
#ifndef TAUT_TRAFFIC_H
#define TAUT_TRAFFIC_H

#include "kernel_types.h"

/* User space enters the ports that somebody listens on; the probes count only those. TCP and UDP may share a number. */
struct service_port {
	__u32 netns;
	__u16 port;
	__u16 protocol;		/* IPPROTO_TCP or IPPROTO_UDP */
};

#endif
