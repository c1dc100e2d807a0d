/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* What the probes hand to user space: the stages of a request, the per-CPU metrics, the exemplars. */
#ifndef TAUT_REQUEST_H
#define TAUT_REQUEST_H

#include "kernel_types.h"

/*
 * In the order in which a request passes them. STAGE_ACK lies outside the total. Of a client's requests, which are sent
 * first, STAGE_PEER is the time from the request's departure to the reply's arrival.
 */
enum stage {
	STAGE_IRQ,
	STAGE_DRIVER,
	STAGE_STEER,
	STAGE_PROTOCOL,
	STAGE_IDLE_EXIT,
	STAGE_RUNQUEUE,
	STAGE_DISPATCH,
	STAGE_RECV,
	STAGE_BODY,
	STAGE_APP_CPU,
	STAGE_APP_WAIT,
	STAGE_SEND,
	STAGE_QDISC,
	STAGE_ACK,
	STAGE_PEER,
	N_STAGES,
};

/*
 * Log-linear histogram: nanoseconds below 32 each have a bucket, then every octave has 32 of equal width
 * (at most 3.2 % wide), up to 2^41 ns (36 minutes), where the last bucket takes the rest.
 */
#define SUB_BUCKETS 32
#define N_BUCKETS 1184

/* CPUs of the matrix of locality; cpuidle's states, of which the kernel has ten at most (CPUIDLE_STATE_MAX). */
#define MATRIX_CPUS 64
#define IDLE_STATES 10

/*
 * The requests whose total fell into one bucket, and the sum of each of their stages. Of those that were not followed in
 * depth, only the total is known.
 */
struct tail_row {
	__u64 requests;
	__u64 shallow;		/* of these, not followed in depth */
	__u64 total_ns;		/* the sum of the totals of all of them, to which nothing of the stages adds */
	__u64 stage_ns[N_STAGES];
};

/*
 * One per CPU, written only by that CPU (counters that two contexts of a CPU can write are added to
 * atomically). User space maps the array and reads it without a system call.
 */
struct metrics {
	__u64 begun;		/* requests whose first payload arrived */
	__u64 unanswered;	/* begun, but the connection closed before a reply */
	__u64 pipelined;	/* answered while more had already arrived */
	__u64 unsplit;		/* answered in a send call that nobody saw: app_cpu reaches to the reply's departure */
	__u64 undivided;	/* handed over by no wake-up that was seen, or by io_uring's threads: app_cpu is app_wait as well */
	__u64 handed_over;	/* sent by another thread than the one that read */
	__u64 held_back;	/* sent after the call that wrote it */
	__u64 pieces;		/* of requests, that were read after the first */
	__u64 backlogged;	/* arrived while a thread held the socket */
	__u64 begun_late;	/* of these, whose packet nobody had kept: they begin where the thread let go */
	__u64 steered;		/* packets, whosoever, of devices with RPS */
	__u64 outside;		/* packets, whosoever, outside of softirqs */
	__u64 same_cpu;		/* softirq, recv and send on one CPU */
	__u64 from_cpu[MATRIX_CPUS];	/* read on this CPU: by the CPU of its softirq */
	__u64 steered_from[MATRIX_CPUS];	/* its softirq was on this CPU: by the other one whose driver had handed it over */
	__u64 idle_exits[IDLE_STATES];	/* idle_exit by how deep the CPU slept, and its nanoseconds */
	__u64 idle_exit_ns[IDLE_STATES];
	__u64 lost_ringbuf_full;
	__u64 lost_map_full;
	__u64 lost_unmatched;	/* datagrams of which nobody knows whose they are */
	__u64 lost_clock;	/* requests with a negative interval: counted here and nowhere else */
	__u64 max_ns;
	__u64 exemplars_left;	/* user space refills it: a bound on the ring buffer's traffic */
	__u64 stage_requests[N_STAGES][N_BUCKETS];
	struct tail_row tail[N_BUCKETS];
};

/* One whole request. Stages that its path did not have are absent from stage_mask. */
struct exemplar {
	__u64 end_ns;		/* CLOCK_MONOTONIC */
	__u64 total_ns;
	__u64 stage_ns[N_STAGES];
	__u32 stage_mask;
	__u32 tid;		/* the thread that read the request */
	__u32 driver_cpu;	/* no driver was seen to hand it over: ~0, as for a softirq that was not seen */
	__u32 softirq_cpu;
	__u32 recv_cpu;
	__u32 send_cpu;
	__u32 pipelined;
	__s32 idle_state;	/* cpuidle's number of the state that idle_exit left; -1: there was none */
};

#endif
