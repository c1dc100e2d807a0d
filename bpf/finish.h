/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* A request's end: its points become stages, the stages go into histograms, tail table and exemplars. */
#ifndef TAUT_FINISH_H
#define TAUT_FINISH_H

#include "context.h"

/* Where nobody saw the packet. */
#define NO_CPU (~0U)

struct arrival {
	struct packet_path path;
	__u64 ready_ns;
	__u32 cpu;		/* of the softirq */
	__u32 generation;	/* of depth; 0: the request is not followed in depth */
};

/* The points of one request, filled in as it goes. */
struct turn {
	struct arrival arrival;
	__u64 awake_ns;		/* the idle CPU of the waiting thread runs again; 0: it was not idle */
	__u64 run_ns;		/* the thread, which had waited or was preempted, is on a CPU; 0: it was */
	__u64 recv_entry_ns;	/* 0: not known */
	__u64 first_ns;		/* end of the first recv's copying */
	__u64 last_ns;		/* end of the last recv's copying */
	__u64 recv_off_ns;	/* the reader's off_ns at last_ns */
	__u64 send_entry_ns;	/* 0: not known yet */
	__u64 app_wait_ns;
	__u64 queued_ns;	/* 0: went past the qdisc */
	__u32 reader;		/* thread of the last recv; 0: a softirq */
	bool undivided;		/* valid with send_entry_ns: nobody saw the service work on it */
	__u32 recv_cpu;
	__u32 send_cpu;		/* valid with send_entry_ns */
	__u32 idle_state;
	__u32 recvs;		/* of the reader, by the end of the last recv's copying */
	__u32 reply_seq;	/* the reply's first byte has this sequence number */
};

/* User space gives it room for what comes between two drains, which depends on how many CPUs there are. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} exemplars SEC(".maps") __weak;

/* Keeps the type, which only the ring buffer carries, in the BTF. */
const struct exemplar *exemplar_type __weak __attribute__((unused));

/* Which requests become exemplars; user space moves both with the tail and the rate. */
__u64 exemplar_threshold_ns __weak = ~0ULL;
__u64 exemplar_sample_mask __weak = ~0ULL;	/* 2^n - 1: one in 2^n, whatever its total */

/* The begin of a packet's way, as far as that is known. */
static __always_inline __u64 begin_of(const struct arrival *arrival)
{
	const struct packet_path *path = &arrival->path;

	return path->irq_ns ?: path->softirq_ns ?: path->handed_ns ?: path->receive_ns ?: arrival->ready_ns;
}

/* Gives the generation of a request on a connection with this hash, 0 if it is not to be followed in depth. */
static __always_inline __u32 generation_of(__u32 hash)
{
	__u32 limit = depth_limit;

	return limit && hash <= limit ? depth_generation : 0;
}

/* Nobody saw the packet. */
static __always_inline void arrive_unseen(struct arrival *arrival, __u32 generation, __u64 now)
{
	arrival->path = (struct packet_path){};
	arrival->generation = generation;
	arrival->ready_ns = now;
	arrival->cpu = NO_CPU;
}

/*
 * When did the call that reads begin? 0 if that is not known: not all go by where reading is seen to begin (splice,
 * MSG_TRUNC, zero copy). Of a request that nobody saw arrive everything is from now on.
 */
static __always_inline __u64 find_entry(const struct thread_run *run, __u64 ready, __u64 now)
{
	/* A call that nobody saw begin has lasted since before measuring did. */
	if (follows_syscalls || run->call_ns > ready)
		return run->call_ns ?: ready;
	if (ready == now)
		return now;
	return is_waiting_call(run) ? run->wait_on_ns : 0;
}

static __always_inline void read_first(struct turn *turn, const struct thread_run *run, __u64 now)
{
	__u64 ready = turn->arrival.ready_ns;

	turn->run_ns = 0;
	if (run->wait_on_ns > ready && run->wait_off_ns <= ready)
		turn->run_ns = run->wait_on_ns;
	else if (run->on_ns > ready && run->preempted_ns && run->preempted_ns <= ready)
		turn->run_ns = run->on_ns;
	turn->awake_ns = turn->run_ns && run->wait_awake_ns > ready ? run->wait_awake_ns : 0;
	turn->idle_state = run->wait_idle_state;
	turn->recv_entry_ns = find_entry(run, ready, now);
	turn->first_ns = now;
	turn->send_entry_ns = 0;
	turn->queued_ns = 0;
	turn->recv_cpu = bpf_get_smp_processor_id();
}

static __always_inline void read_last(struct turn *turn, const struct thread_run *run, __u32 tid, __u64 now)
{
	turn->last_ns = now;
	turn->recv_off_ns = run->off_ns;
	turn->recvs = run->recvs;
	turn->reader = tid;
}

/*
 * The first thread was off the CPU until it woke the second, that from the wake-up until it ran and whenever it was
 * switched out later. A second thread that needed no wake-up does not tell when it took the request up.
 */
static __always_inline __u64 sum_waits_of_both(struct turn *turn, struct cpu_state *cpu)
{
	struct thread_state *second = FIND_OF_THREAD(threads, current_task());
	__u64 wait;

	if (!second || second->woken_ns <= turn->last_ns || second->resumed_ns < second->woken_ns ||
	    cpu->run.call_ns < second->resumed_ns)
		return 0;
	wait = second->resumed_ns - second->woken_ns + cpu->run.call_off_ns - second->resumed_off_ns;
	if (second->waker == turn->reader)
		wait += second->waker_off_ns - turn->recv_off_ns;
	return wait;
}

/* Has a thread of the service, which runs here, begun a call since that may send the reply? */
static __always_inline bool may_be_sending(const struct turn *turn, const struct cpu_state *cpu)
{
	return !turn->send_entry_ns && cpu->tid && cpu->run.call_ns >= turn->last_ns;
}

/* Of include/linux/sched.h: a thread that io_uring has in the kernel, its poller (SQPOLL) or a worker. */
#define PF_IO_WORKER 0x10

/*
 * Is the reply sent by order, for a request that was read so? io_uring's threads do both for another one, which has the
 * request in between: what they wait for meanwhile is not what that waits for. If the reader itself has woken them to
 * send, it was no such thread, and its own waits are known.
 */
static __always_inline bool is_sent_by_order(const struct turn *turn, const struct cpu_state *cpu)
{
	struct task_struct *task = current_task();
	struct thread_state *thread;

	if (!(READ(task, flags) & PF_IO_WORKER))
		return false;
	if (cpu->tid == turn->reader)
		return true;
	thread = FIND_OF_THREAD(threads, task);
	return !thread || thread->waker != turn->reader;
}

/*
 * The service has entered the call that sends its reply: how much of the time since recv was it off the CPU? Nobody knows where
 * another thread sends it than has read, and was not seen to be woken, as it needed to be by nobody, or because wake-ups are not
 * followed while there are few hand-overs.
 */
static __always_inline void leave_app(struct turn *turn, struct cpu_state *cpu)
{
	turn->undivided = is_sent_by_order(turn, cpu);
	if (cpu->tid == turn->reader) {
		turn->app_wait_ns = cpu->run.call_off_ns - turn->recv_off_ns;
	} else {
		turn->app_wait_ns = sum_waits_of_both(turn, cpu);
		turn->undivided |= !turn->app_wait_ns;
		COUNT(handed_over);
	}
	if (turn->undivided)
		turn->app_wait_ns = 0;
	turn->send_cpu = bpf_get_smp_processor_id();
	/* Last: whoever sees it may finish the request. */
	turn->send_entry_ns = cpu->run.call_ns;
}

/* log2 of a number whose bits below the highest are all set, by a de Bruijn sequence. */
static const __u8 log2_table[64] = {
	0,  47, 1,  56, 48, 27, 2,  60, 57, 49, 41, 37, 28, 16, 3,  61, 54, 58, 35, 52, 50, 42,
	21, 44, 38, 32, 29, 23, 17, 11, 4,  62, 46, 55, 26, 59, 40, 36, 15, 53, 34, 51, 20, 43,
	31, 22, 10, 45, 25, 39, 14, 33, 19, 30, 9,  24, 13, 18, 8,  12, 7,  6,  5,  63,
};

/* 0 to 31 are their own buckets; from 32 on the highest six bits choose. */
static __always_inline __u32 bucket_of(__u64 ns)
{
	__u64 smeared = ns | SUB_BUCKETS;
	__u32 shift, bucket;

	smeared |= smeared >> 1;
	smeared |= smeared >> 2;
	smeared |= smeared >> 4;
	smeared |= smeared >> 8;
	smeared |= smeared >> 16;
	smeared |= smeared >> 32;
	shift = log2_table[smeared * 0x03f79d71b4cb0a89ULL >> 58] - 5;
	bucket = (shift * SUB_BUCKETS + (__u32)(ns >> (shift & 63))) & 2047;
	if (bucket >= N_BUCKETS)
		bucket = N_BUCKETS - 1;
	/* What is computed from here on is computed from what has the bound, or the verifier of older kernels doesn't see it. */
	barrier_var(bucket);
	return bucket;
}

/* As good as random for choosing one in so many, and cheaper: the clock's nanoseconds, mixed. */
static __always_inline __u64 scramble(__u64 ns)
{
	return ns * 0x9e3779b97f4a7c15ULL >> 32;
}

/* What there is to count of a request whose stages are known. */
struct whole {
	__u64 end_ns;
	__u64 total_ns;
	__u32 send_cpu;
	bool pipelined;
	bool interrupted;	/* another request can be counted on top of this one, on the same CPU */
};

static __always_inline void send_exemplar(struct metrics *m, struct turn *turn, struct stages *stages,
					  const struct whole *whole)
{
	struct exemplar *e = bpf_ringbuf_reserve(&exemplars, sizeof(*e), 0);

	if (!e) {
		__sync_fetch_and_add(&m->lost_ringbuf_full, 1);
		return;
	}
	e->end_ns = whole->end_ns;
	e->total_ns = whole->total_ns;
	for (int stage = 0; stage < N_STAGES; stage++)
		e->stage_ns[stage] = stages->mask >> stage & 1 ? stages->ns[stage] : 0;
	e->stage_mask = stages->mask;
	e->tid = turn->reader;
	e->driver_cpu = turn->arrival.path.handed_ns ? turn->arrival.path.handed_cpu : NO_CPU;
	e->softirq_cpu = turn->arrival.cpu;
	e->recv_cpu = turn->recv_cpu;
	e->send_cpu = whole->send_cpu;
	e->pipelined = whole->pipelined;
	e->idle_state = turn->awake_ns ? (__s32)turn->idle_state : -1;
	/* User space drains the ring at every refresh: waking it for each record would cost more than it tells. */
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
}

/* A point in time ends the stage that began at the last one. */
#define END_STAGE(name, at)                                     \
	do {                                                    \
		__u64 at_ns = (at);                             \
		if ((__s64)(at_ns - cursor) < 0)                \
			goto negative;                          \
		stages->ns[name] = at_ns - cursor;              \
		stages->mask |= 1u << (name);                   \
		cursor = at_ns;                                 \
	} while (0)

/* What nothing interrupts is added to without a lock of the bus. */
#define ADD(counter, n)                                          \
	do {                                                     \
		if (whole->interrupted)                          \
			__sync_fetch_and_add(&(counter), n);     \
		else                                             \
			(counter) += (n);                        \
	} while (0)

/* The metrics of a CPU, which is this one, whose `m` are, unless a request has changed CPUs. */
static __always_inline struct metrics *metrics_at(__u32 cpu, struct metrics *m)
{
	return cpu == bpf_get_smp_processor_id() ? m : bpf_map_lookup_elem(&metrics, &cpu);
}

/* Adds one to a cell of a matrix. The verifier of older kernels has forgotten the bound, where the number lay on the stack. */
#define COUNT_FROM(m, row, from)                                                      \
	do {                                                                          \
		__u32 cell = (from);                                                  \
		barrier_var(cell);                                                    \
		if (m)                                                                \
			__sync_fetch_and_add(&(m)->row[cell & (MATRIX_CPUS - 1)], 1); \
	} while (0)

static __always_inline void count_places(struct metrics *m, struct turn *turn, const struct whole *whole)
{
	const struct packet_path *path = &turn->arrival.path;
	__u32 softirq = turn->arrival.cpu, to = turn->recv_cpu;
	struct metrics *at;

	if (softirq == whole->send_cpu && to == whole->send_cpu)
		ADD(m->same_cpu, 1);
	if (softirq >= MATRIX_CPUS)
		return;
	at = metrics_at(to, m);
	COUNT_FROM(at, from_cpu, softirq);
	if (!path->handed_ns || path->handed_cpu == softirq || path->handed_cpu >= MATRIX_CPUS)
		return;
	at = metrics_at(softirq, m);
	COUNT_FROM(at, steered_from, path->handed_cpu);
}

static __always_inline void count_idle_exit(struct metrics *m, struct turn *turn, __u64 ns, const struct whole *whole)
{
	__u32 state = turn->idle_state;

	if (state < IDLE_STATES) {
		ADD(m->idle_exits[state], 1);
		ADD(m->idle_exit_ns[state], ns);
	}
}

/*
 * The stages from a packet's begin, where the cursor stands, to what a thread has read last. Gives where the cursor stands
 * then, 0 when an interval is negative.
 */
static __always_inline __u64 end_reading(struct turn *turn, struct stages *stages, __u64 cursor)
{
	const struct packet_path *path = &turn->arrival.path;

	if (path->irq_ns && path->softirq_ns)
		END_STAGE(STAGE_IRQ, path->softirq_ns);
	if (path->softirq_ns && path->receive_ns)
		END_STAGE(STAGE_DRIVER, path->handed_ns ?: path->receive_ns);
	if (path->handed_ns && path->receive_ns)
		END_STAGE(STAGE_STEER, path->receive_ns);
	if (path->receive_ns)
		END_STAGE(STAGE_PROTOCOL, turn->arrival.ready_ns);
	if (turn->awake_ns)
		END_STAGE(STAGE_IDLE_EXIT, turn->awake_ns);
	if (turn->run_ns)
		END_STAGE(STAGE_RUNQUEUE, turn->run_ns);
	/*
	 * A thread that was already inside recv when the payload came has no dispatch. Where the call's begin is not known
	 * there is no recv: its time is in dispatch.
	 */
	if (!turn->recv_entry_ns || turn->recv_entry_ns > cursor)
		END_STAGE(STAGE_DISPATCH, turn->recv_entry_ns ?: turn->first_ns);
	if (turn->recv_entry_ns)
		END_STAGE(STAGE_RECV, turn->first_ns);
	if (turn->last_ns != turn->first_ns)
		END_STAGE(STAGE_BODY, turn->last_ns);
	return cursor;
negative:
	return 0;
}

/*
 * Counts a request by its total and its stages, and sends it as an exemplar if it is chosen. Gives the row of the tail table
 * that has counted it.
 */
static __always_inline __u32 count_request(struct metrics *m, struct turn *turn, struct stages *stages,
					   const struct whole *whole)
{
	__u64 total = whole->total_ns;
	__u32 bucket = bucket_of(total);
	struct tail_row *row = &m->tail[bucket];

	ADD(row->requests, 1);
	ADD(row->total_ns, total);
	for (int stage = 0; stage < N_STAGES; stage++) {
		/* Read each time: the verifier must not learn the bits, or it follows every combination. */
		if (*(volatile __u32 *)&stages->mask >> stage & 1) {
			ADD(m->stage_requests[stage][bucket_of(stages->ns[stage])], 1);
			ADD(row->stage_ns[stage], stages->ns[stage]);
		}
	}
	if (total > m->max_ns)
		m->max_ns = total;
	if (whole->pipelined)
		ADD(m->pipelined, 1);
	if (turn->awake_ns)
		count_idle_exit(m, turn, stages->ns[STAGE_IDLE_EXIT], whole);
	count_places(m, turn, whole);
	if (m->exemplars_left &&
	    (total >= exemplar_threshold_ns || !(scramble(whole->end_ns) & exemplar_sample_mask))) {
		m->exemplars_left--;
		send_exemplar(m, turn, stages, whole);
	}
	return bucket;
}

/* Was the request followed in depth, from its first point to its last? */
static __always_inline bool is_deep(const struct turn *turn)
{
	return turn->arrival.generation == depth_generation;
}

/* Counts a request of which only the total is known. */
static __always_inline void count_total(struct metrics *m, const struct whole *whole)
{
	struct tail_row *row = &m->tail[bucket_of(whole->total_ns)];

	if ((__s64)whole->total_ns < 0) {
		ADD(m->lost_clock, 1);
		return;
	}
	ADD(row->requests, 1);
	ADD(row->shallow, 1);
	ADD(row->total_ns, whole->total_ns);
	if (whole->total_ns > m->max_ns)
		m->max_ns = whole->total_ns;
	if (whole->pipelined)
		ADD(m->pipelined, 1);
}

/* Gives the row of the tail table that has counted the request with its stages, N_BUCKETS if none has. */
static __always_inline __u32 finish(struct turn *turn, __u64 now, bool pipelined)
{
	struct metrics *m = this_metrics();
	struct stages *stages = &this_cpu()->stages;
	struct whole whole = {
		.end_ns = now,
		/* The reply may leave on another one later, out of a queue or when TCP lets go of it. */
		.send_cpu = turn->send_entry_ns ? turn->send_cpu : bpf_get_smp_processor_id(),
		.pipelined = pipelined,
	};
	__u64 start, cursor;

	if (!m)
		return N_BUCKETS;
	start = begin_of(&turn->arrival);
	whole.total_ns = now - start;
	if (!is_deep(turn)) {
		count_total(m, &whole);
		return N_BUCKETS;
	}
	stages->mask = 0;
	cursor = end_reading(turn, stages, start);
	if (!cursor)
		goto negative;
	/* The application's span ends where its send call begins; if that is not known, at the next point that is. */
	__u64 sent = turn->queued_ns ?: now;
	__u64 span = (turn->send_entry_ns ?: sent) - cursor;
	__u64 wait = turn->send_entry_ns ? turn->app_wait_ns : 0;

	if ((__s64)span < 0 || wait > span)
		goto negative;
	END_STAGE(STAGE_APP_CPU, cursor + span - wait);
	if (wait)
		END_STAGE(STAGE_APP_WAIT, cursor + wait);
	if (turn->send_entry_ns)
		END_STAGE(STAGE_SEND, sent);
	if (turn->queued_ns)
		END_STAGE(STAGE_QDISC, now);
	if (!turn->send_entry_ns)
		m->unsplit++;
	else if (turn->undivided)
		m->undivided++;
	return count_request(m, turn, stages, &whole);
negative:
	m->lost_clock++;
	return N_BUCKETS;
}

#endif
