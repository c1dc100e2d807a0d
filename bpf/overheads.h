/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* What the sampling of the socket API's overheads hands to user space. All times are nanoseconds. */
#ifndef TAUT_OVERHEADS_H
#define TAUT_OVERHEADS_H

#include "bits.h"
#include "kernel_types.h"
#include "own_time.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* Number of the open window, 0 while there is none: what began before a window is not counted in it. */
extern __u32 window;

/* System calls by number; the last slot takes those with higher numbers. */
#define MAX_SYSCALLS 512

struct syscall_use {
	__u64 entered;
	__u64 returned;		/* of those entered in the same window */
	__u64 cpu_ns;		/* of those returned: their time on a CPU */
};

/* One per CPU. Grows in windows only. */
struct overheads {
	struct syscall_use syscalls[MAX_SYSCALLS];	/* of the service's threads */
	__u64 voluntary;	/* times that one of them went to sleep */
	__u64 involuntary;	/* ... or was made to leave the CPU to another */
	__u64 recv_calls;	/* calls of theirs that copied payload to user space */
	__u64 recv_ns;		/* ... on a CPU from their entry until then */
	__u64 send_calls;	/* calls of theirs that reached TCP's send */
	__u64 send_ns;
	__u64 waits;		/* calls of theirs to epoll_wait, poll, select that returned */
	__u64 events;		/* what those returned */
	__u64 woken_waits;	/* of them: had slept until something got ready */
	__u64 woken_ns;		/* ... from then until they returned */
	__u64 rx_ns;		/* NET_RX softirqs, whosoever the packets are */
	__u64 packets;		/* in those softirqs, those that GRO merged into others among them */
	__u64 gro_packets;	/* given to GRO */
	__u64 gro_merged;	/* of them: merged into another */
	__u64 polls;		/* of NAPI that found packets */
	__u64 polled_packets;
	__u64 card_packets;	/* of them: from network cards */
	__u64 card_interrupts;	/* for received packets */
};

/* Defined in every file that uses it; the linker makes weak definitions one. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct overheads);
} overheads SEC(".maps") __weak;

static __always_inline struct overheads *this_overheads(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&overheads, &zero);
}

#endif
