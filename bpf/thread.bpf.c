// SPDX-License-Identifier: MIT OR GPL-2.0
/* The service's threads: on and off the CPU, in which system call, waiting for what. */
#include "bits.h"
#include "context.h"
#include "kernel_compat.h"
#include "target.h"

struct cpu_state cpus[MAX_CPUS];
const volatile bool follows_syscalls = false;
__u32 counts_recvs = 0;

/* One bit a system call number: those that wait for sockets, and of these the ones that then read. */
const volatile __u64 wait_syscalls[MAX_SYSCALLS / 64] = {};
const volatile __u64 receive_syscalls[MAX_SYSCALLS / 64] = {};

static __always_inline void switch_out(struct cpu_state *cpu, struct task_struct *task, struct thread_state *thread,
				       bool blocks, __u64 now)
{
	__u32 syscall = blocks ? syscall_of(task) : NO_SYSCALL;

	thread->run = cpu->run;
	thread->off_since_ns = now;
	thread->sleeps = blocks;
	thread->waits = in_bits(wait_syscalls, syscall, MAX_SYSCALLS);
	if (thread->waits) {
		thread->run.wait_receives = in_bits(receive_syscalls, syscall, MAX_SYSCALLS);
		if (thread->run.wait_receives)
			thread->run.wait_call = arguments_of(task);
	}
}

/*
 * Leaving the idle loop, before it is known for whom. Where an idle CPU is halted, what interrupted has been handled by then, its
 * softirqs as well: the first of those has told already that the CPU runs.
 */
TRACEPOINT(cpu_idle)
int TIMED_PROG(cpu_idle, unsigned int state)
{
	struct cpu_state *cpu = this_cpu();

	if (state == PWR_EVENT_EXIT) {
		wake_up(cpu, bpf_ktime_get_ns());
	} else {
		cpu->is_awake = false;
		cpu->idle_state = state;
		/* No softirq is due: what interrupted has led to none. */
		cpu->irq_ns = 0;
	}
	return 0;
}

TRACEPOINT(sched_switch)
int TIMED_PROG(sched_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	struct thread_state *from = NULL, *to;
	struct cpu_state *cpu = this_cpu();
	__u64 now;

	leave_softirq(cpu);
	if (cpu->tid)
		from = FIND_OF_THREAD(threads, prev);
	to = FIND_OF_THREAD(threads, next);
	cpu->tid = to ? READ(next, pid) : 0;
	if (!from && !to)
		return 0;
	now = bpf_ktime_get_ns();
	if (from)
		switch_out(cpu, prev, from, task_blocks(preempt, prev), now);
	if (to)
		switch_in(cpu, to, !READ(prev, pid), now);
	return 0;
}

/*
 * A thread of the service wakes another one: from here on the second works for the first's request. A softirq on top
 * of the first may wake the second as well, but one that waits for a hand-over has no softirq to wait for.
 */
TRACEPOINT(sched_waking)
int TIMED_PROG(sched_waking, struct task_struct *p)
{
	struct cpu_state *cpu = this_cpu();
	struct thread_state *thread;

	if (!cpu->tid)
		return 0;
	thread = FIND_OF_THREAD(threads, p);
	if (thread) {
		thread->woken_ns = bpf_ktime_get_ns();
		thread->waker = cpu->tid;
		thread->waker_off_ns = cpu->run.off_ns;
	}
	return 0;
}

/* New threads of a known service are known from their first switch on. */
TRACEPOINT(sched_process_fork)
int TIMED_PROG(sched_process_fork, struct task_struct *parent, struct task_struct *child)
{
	if (this_cpu()->tid)
		KEEP_OF_THREAD(threads, child, no_state);
	return 0;
}

#ifndef TAUT_RAW

#define MAX_PIDS 64
__u32 service_pids[MAX_PIDS] = {};

/* The threads that the service has when tracing starts. Read once; later ones come by fork or by their first recv. */
SEC("iter/task")
int know_threads(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (!task)
		return 0;
	for (int i = 0; i < MAX_PIDS && service_pids[i]; i++) {
		if (task->tgid == service_pids[i]) {
			KEEP_OF_THREAD(threads, task, no_state);
			break;
		}
	}
	return 0;
}

#else

/* User space enters the threads that the service has already; here they go when they end. */
TRACEPOINT(sched_process_exit)
int TIMED_PROG(thread_ends)
{
	forget_state(&threads, (__u32)bpf_get_current_pid_tgid());
	return 0;
}

#endif

static __always_inline int begin_call(struct cpu_state *cpu, __u64 ns)
{
	leave_softirq(cpu);
	note_call(cpu, ns);
	return 0;
}

/* Is this a thread of the service, or if it is on its CPU unseen, one that is known and has the service's socket in its hands? */
static __always_inline bool is_service_thread(struct cpu_state *cpu, struct sock *sk)
{
	return cpu->tid || (sk && is_service_socket(sk) && adopt_known(cpu, bpf_ktime_get_ns()));
}

/* Copies what has arrived to user space, packet by packet; the socket, which owns the packet, is locked. */
TRACEPOINT(skb_copy_datagram_iovec)
int TIMED_PROG(recv_copies, struct sk_buff *skb)
{
	struct cpu_state *cpu = this_cpu();

	if (!is_service_thread(cpu, READ(skb, sk)))
		return 0;
	return begin_call(cpu, is_waiting_call(&cpu->run) ? cpu->run.wait_on_ns : bpf_ktime_get_ns());
}

/* Needed where a request is read in several pieces: do they belong to one call? */
TRACEPOINT(sock_recv_length)
int TIMED_PROG(recv_ends)
{
	this_cpu()->run.recvs++;
	return 0;
}

/* Copies the reply from user space, piece by piece: what was written and what is left together stay the same. */
TRACEPOINT(tcp_sendmsg_locked)
int TIMED_PROG(send_copies, struct sock *sk, struct msghdr *msg)
{
	struct cpu_state *cpu = this_cpu();
	struct tcp_sock *tp;
	__u32 end;

	if (!is_service_thread(cpu, sk))
		return 0;
	tp = tcp_of(sk);
	if (!tp)
		return 0;
	end = READ(tp, write_seq) + (__u32)READ(msg, msg_iter.count);
	if (end == cpu->run.send_end)
		return 0;
	cpu->run.send_end = end;
	return begin_call(cpu, bpf_ktime_get_ns());
}

/*
 * Stands in for these on older kernels, where nothing else tells of a send: dear, as all processes then take the slow
 * way into every system call. Calls that wait for others to read come after those, and would hide them.
 */
TRACEPOINT(sys_enter)
int TIMED_PROG(sys_enter, struct pt_regs *regs, long number)
{
	struct cpu_state *cpu = this_cpu();

	if (!cpu->tid || (in_bits(wait_syscalls, number, MAX_SYSCALLS) &&
			  !in_bits(receive_syscalls, number, MAX_SYSCALLS)))
		return 0;
	cpu->run.recvs++;
	return begin_call(cpu, bpf_ktime_get_ns());
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
