/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * What is running on each CPU right now, as far as a request's stages need it. The state of a service's
 * thread is kept in its CPU's slot while the thread runs and in task storage while it does not: system
 * calls and socket events, of which there are many, then need no look-up; only context switches do.
 */
#ifndef TAUT_CONTEXT_H
#define TAUT_CONTEXT_H

#include "kernel_compat.h"
#include "own_time.h"
#include "request.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define MAX_CPUS 512
/* As many of the service are known where nothing in the kernel keeps their state. */
#define MAX_THREADS 32768

/* All times are bpf_ktime_get_ns(): CLOCK_MONOTONIC, nanoseconds. */
struct thread_run {
	__u64 call_ns;		/* begin of the current (or last) call that reads from a socket or writes to one */
	__u64 call_off_ns;	/* off_ns by then */
	__u64 off_ns;		/* sum of the time off the CPU since the thread was first seen */
	__u64 on_ns;		/* last switched in */
	__u64 preempted_ns;	/* switched out before that, though it could have run; 0: it slept */
	__u64 wait_off_ns;	/* switched out to wait for sockets: payload from then on found it waiting */
	__u64 wait_on_ns;	/* switched in again after that wait */
	__u64 wait_awake_ns;	/* the idle CPU it was switched in on ran again; 0: that was not idle */
	__u32 wait_idle_state;	/* how deep it had slept, by cpuidle's number of the state */
	bool wait_receives;	/* that wait was a call's that reads */
	struct call_arguments wait_call;	/* ... which is this one */
	__u32 send_end;		/* sequence number at which what the last call to send had ends */
	__u32 recvs;		/* calls to receive that have ended, while somebody counts them */
	__u64 read_ns;		/* the last datagram that it has read; 0: none */
};

struct thread_state {
	struct thread_run run;	/* valid while off the CPU */
	__u64 off_since_ns;
	__u64 woken_ns;		/* last woken by a thread of the service */
	__u64 waker_off_ns;	/* off_ns of that one at the time */
	__u64 resumed_ns;	/* on a CPU after that */
	__u64 resumed_off_ns;	/* its own off_ns by then */
	__u32 waker;
	bool sleeps;		/* off the CPU because it waits for something */
	bool waits;		/* that is: for sockets */
};

/* How a packet came to where protocols take it up. Times that are 0 are not known, or its path did not have them. */
struct packet_path {
	__u64 irq_ns;		/* the NIC's interrupt that led to the softirq */
	__u64 softirq_ns;	/* entry of the softirq in which the driver had it */
	__u64 handed_ns;	/* the driver handed it over to GRO or to another CPU */
	__u64 receive_ns;	/* protocols take it up */
	__u32 cpu;		/* ... on this CPU; valid with receive_ns */
	__u32 handed_cpu;	/* valid with handed_ns */
};

/*
 * The stages of the request that finishes here. In memory, since of what is on its stack the verifier would follow every
 * combination.
 */
struct stages {
	__u64 ns[N_STAGES];	/* valid where the mask has a bit */
	__u32 mask;
};

struct cpu_state {
	__u64 irq_ns;		/* a NIC interrupted, and no NET_RX softirq has begun since */
	__u32 irq;		/* ... by this interrupt */
	__u64 softirq_irq_ns;	/* the interrupt that led to the softirq, 0 if none did */
	__u64 softirq_ns;	/* entry of the last softirq, 0 if that was not NET_RX */
	struct packet_path packet;	/* the last that protocols took up here */
	bool is_card_packet;
	__u64 packet_address;	/* of its struct sk_buff, as a number; of cards' packets and datagrams only */
	bool is_awake;		/* something has been seen to run here since the CPU became idle last */
	__u64 awake_ns;		/* the CPU was idle until then */
	__u32 idle_state;	/* cpuidle's number of the state it was in */
	struct stages stages;
	__u32 passed_level;	/* so many devices are stacked where UDP's last answer went to the driver, with that one; above 1: */
	__u64 passed_on;	/* ... its packet, as a number */
	__u64 passed_to;	/* ... and the hash of its peer */
	__u32 tid;		/* the service's thread on this CPU, 0 if none */
	struct thread_run run;	/* of that thread */
} __attribute__((aligned(128)));

extern struct cpu_state cpus[MAX_CPUS];

extern const volatile bool is_udp;

#define MAX_SYSCALLS 512
extern const volatile __u64 receive_syscalls[MAX_SYSCALLS / 64];

/*
 * Which requests are followed in depth: those of connections whose hash is not above the limit, which user space lowers
 * when measuring costs too much. A request that has begun in another generation has met probes that were not attached.
 */
__u32 depth_limit __weak = ~0U;
__u32 depth_generation __weak = 1;

/* System calls are followed, on kernels where nothing else tells of a send. */
extern const volatile bool follows_syscalls;
/* Set by user space while the ends of calls to receive are counted. */
extern __u32 counts_recvs;

/* Defined in every file that uses them; the linker makes weak definitions one. */
STATE_OF_THREADS(threads, struct thread_state, BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, MAX_THREADS) __weak;

static const struct thread_state no_state;

/*
 * A softirq that reads on behalf of a thread (kTLS, sockmap), or sends, and a thread that there is no room for: nothing is known of
 * when that was called.
 */
static const struct thread_run no_thread;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct metrics);
} metrics SEC(".maps") __weak;

static __always_inline struct cpu_state *this_cpu(void)
{
	return &cpus[bpf_get_smp_processor_id() & (MAX_CPUS - 1)];
}

/* Something runs on this CPU: the first that is seen to since it became idle tells since when. */
static __always_inline void wake_up(struct cpu_state *cpu, __u64 now)
{
	if (cpu->is_awake)
		return;
	cpu->is_awake = true;
	cpu->awake_ns = now;
}

/* From here on the CPU is known not to be in a softirq. */
static __always_inline void leave_softirq(struct cpu_state *cpu)
{
	cpu->softirq_ns = 0;
	cpu->softirq_irq_ns = 0;
}

/* Does the call in which the thread waited last go on, to read what it waited for? */
static __always_inline bool is_waiting_call(const struct thread_run *run)
{
	struct call_arguments call;

	if (!run->wait_receives)
		return false;
	call = arguments_of(current_task());
	return is_same_call(&call, &run->wait_call);
}

static __always_inline struct metrics *this_metrics(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&metrics, &cpu);
}

/* Adds one to a counter of this CPU's, whatever interrupts. */
#define COUNT(counter)                                               \
	do {                                                         \
		struct metrics *counting = this_metrics();           \
		if (counting)                                        \
			__sync_fetch_and_add(&counting->counter, 1); \
	} while (0)

/* A thread of the service that had been off the CPU since `off_since_ns` has run again since `now`. */
static __always_inline void switch_in(struct cpu_state *cpu, struct thread_state *thread, bool from_idle, __u64 now)
{
	cpu->run = thread->run;
	cpu->run.on_ns = now;
	cpu->run.preempted_ns = thread->sleeps ? 0 : thread->off_since_ns;
	if (thread->off_since_ns)
		cpu->run.off_ns += now - thread->off_since_ns;
	if (thread->waits) {
		cpu->run.wait_off_ns = thread->off_since_ns;
		cpu->run.wait_on_ns = now;
		cpu->run.wait_awake_ns = from_idle ? cpu->awake_ns : 0;
		cpu->run.wait_idle_state = cpu->idle_state;
	}
	/* Once a wake-up: when it is preempted later, it has run for the request already. */
	if (thread->sleeps && thread->resumed_ns < thread->woken_ns) {
		thread->resumed_ns = now;
		thread->resumed_off_ns = cpu->run.off_ns;
	}
}

/*
 * A thread of the service is on this CPU, and nobody saw it come: the machine hides the one that ran before from tracing,
 * or the probes are newer. Since when is not known. If it slept it is taken to have slept until now, as it runs for what
 * it does now; if it was preempted, to have gone on at once. How long a request had to wait until it ran is known only if it
 * still is in the call that waited.
 */
static __always_inline void take_over(struct cpu_state *cpu, struct thread_state *thread, __u64 now)
{
	if (thread->sleeps) {
		switch_in(cpu, thread, false, now);
		if (thread->waits && !is_waiting_call(&cpu->run))
			cpu->run.wait_on_ns = 0;
	} else {
		cpu->run = thread->run;
		cpu->run.on_ns = now;
		cpu->run.preempted_ns = 0;
	}
	cpu->tid = READ(current_task(), pid);
}

/* The thread on this CPU begins to read or to send. */
static __always_inline void note_call(struct cpu_state *cpu, __u64 ns)
{
	struct thread_run *run = &cpu->run;

	run->call_ns = ns;
	run->call_off_ns = run->off_ns;
	run->wait_receives = false;
}

/*
 * A thread that reads requests is the service's, whatever process it belongs to. Where there is no room for it, it stays unknown,
 * and its requests lack what nobody knows: their send, which `unsplit` tells.
 */
static __always_inline void adopt_current(struct cpu_state *cpu, __u64 now)
{
	struct thread_state *thread = KEEP_OF_THREAD(threads, current_task(), no_state);

	if (!thread)
		return;
	take_over(cpu, thread, now);
	note_call(cpu, now);
}

/* A thread that is known has come to where it reads or sends; gives whether there is one. */
static __always_inline bool adopt_known(struct cpu_state *cpu, __u64 now)
{
	struct thread_state *thread = FIND_OF_THREAD(threads, current_task());

	if (!thread)
		return false;
	take_over(cpu, thread, now);
	return true;
}

#endif
