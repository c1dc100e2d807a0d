/* SPDX-License-Identifier: MIT OR GPL-2.0 */
#ifndef TAUT_TRAFFIC_H
#define TAUT_TRAFFIC_H

#include "kernel_types.h"

/* User space enters the ports that somebody listens on; the probe counts only those. */
struct service_port {
	__u32 netns;
	__u32 port;
};

#endif
