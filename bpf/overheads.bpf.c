// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * What the socket API costs the service's threads: system calls, context switches, the way from a call's entry to the
 * socket layer, waits that multiplex. Too dear to be attached always: user space attaches these programs, and those of
 * overheads_packets.bpf.c, for a moment now and then, and opens a window once all are.
 */
#include "overheads.h"
#include "kernel_compat.h"
#include "target.h"

__u32 window = 0;

const volatile __u16 ports[MAX_PORTS] = {};
const volatile __u32 netns = 0;
/* One bit a number: those that wait for several sockets. */
const volatile __u64 multiplex_syscalls[MAX_SYSCALLS / 64] = {};

/* The service's processes: user space enters those it knows. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u8);
} service_pids SEC(".maps");

/* A thread of the service in the system call that it entered in this window. */
struct thread_call {
	__u64 entry_ns;		/* moved on by the time off the CPU; 0: not in a call, or nobody saw it enter */
	__u64 off_since_ns;
	__u64 woken_ns;		/* it slept, and something got ready */
	__u32 syscall;
	__u32 window;
	bool copied;		/* reached the socket layer's copy to user space, or TCP's send */
	bool sent;
};

/* Threads end outside of windows too: who was not seen for longest makes room. */
STATE_OF_THREADS(calls, struct thread_call, BPF_MAP_TYPE_LRU_HASH, 0, 8192);

static const struct thread_call no_call;

static __always_inline bool is_service(struct task_struct *task)
{
	__u32 tgid = READ(task, tgid);

	return bpf_map_lookup_elem(&service_pids, &tgid);
}

/* The scheduler's locks are held around some of these programs: they only look up. */
static __always_inline struct thread_call *find_call(struct task_struct *task)
{
	struct thread_call *call = FIND_OF_THREAD(calls, task);

	return call && call->window == window ? call : NULL;
}

/* NULL for threads of others. */
static __always_inline struct thread_call *begin_call(struct task_struct *task)
{
	struct thread_call *call = FIND_OF_THREAD(calls, task);

	if (!call && is_service(task))
		call = KEEP_OF_THREAD(calls, task, no_call);
	return call;
}

static __always_inline struct syscall_use *syscall_use(struct overheads *o, __u32 number)
{
	if (number >= MAX_SYSCALLS)
		number = MAX_SYSCALLS - 1;
	barrier_var(number);	/* or the compiler drops the mask, which older verifiers need */
	return &o->syscalls[number & (MAX_SYSCALLS - 1)];
}

TRACEPOINT(sys_enter)
int TIMED_PROG(sys_enter, struct pt_regs *regs, long number)
{
	struct thread_call *call;
	struct overheads *o;

	if (!window)
		return 0;
	call = begin_call(current_task());
	o = this_overheads();
	if (!call || !o)
		return 0;
	syscall_use(o, number)->entered++;
	*call = (struct thread_call){ .syscall = number, .window = window, .entry_ns = bpf_ktime_get_ns() };
	return 0;
}

static __always_inline void count_wait(struct overheads *o, struct thread_call *call, long events, __u64 now)
{
	o->waits++;
	if (events <= 0)
		return;
	o->events += events;
	if (call->woken_ns) {
		o->woken_waits++;
		o->woken_ns += now - call->woken_ns;
	}
}

TRACEPOINT(sys_exit)
int TIMED_PROG(sys_exit, struct pt_regs *regs, long ret)
{
	struct thread_call *call;
	struct syscall_use *use;
	struct overheads *o;
	__u64 now;

	if (!window)
		return 0;
	call = find_call(current_task());
	o = this_overheads();
	if (!call || !call->entry_ns || !o)
		return 0;
	now = bpf_ktime_get_ns();
	use = syscall_use(o, call->syscall);
	use->returned++;
	use->cpu_ns += now - call->entry_ns;
	if (in_bits(multiplex_syscalls, call->syscall, MAX_SYSCALLS))
		count_wait(o, call, ret, now);
	call->entry_ns = 0;
	return 0;
}

TRACEPOINT(sched_switch)
int TIMED_PROG(sched_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	struct thread_call *from, *to;
	struct overheads *o;

	if (!window)
		return 0;
	from = find_call(prev);
	o = this_overheads();
	if (o && (from || is_service(prev))) {
		if (task_blocks(preempt, prev))
			o->voluntary++;
		else
			o->involuntary++;
	}
	if (from)
		from->off_since_ns = bpf_ktime_get_ns();
	to = find_call(next);
	if (to && to->entry_ns)
		to->entry_ns += bpf_ktime_get_ns() - to->off_since_ns;
	return 0;
}

/* What a thread waits for in epoll_wait and its like got ready: the first of several that did. */
TRACEPOINT(sched_waking)
int TIMED_PROG(sched_waking, struct task_struct *p)
{
	struct thread_call *call;

	if (!window)
		return 0;
	call = find_call(p);
	if (call && call->entry_ns && !call->woken_ns && in_bits(multiplex_syscalls, call->syscall, MAX_SYSCALLS))
		call->woken_ns = bpf_ktime_get_ns();
	return 0;
}

/* A process that reads from the target's port is the service's, if it was not known before: from its next call on. */
static __always_inline void adopt_reader(struct task_struct *task, const struct sk_buff *skb)
{
	struct sock *sk = READ(skb, sk);
	__u32 tgid = READ(task, tgid);
	__u8 known = 1;

	if (sk && is_service_socket(sk))
		bpf_map_update_elem(&service_pids, &tgid, &known, BPF_ANY);
}

TRACEPOINT(skb_copy_datagram_iovec)
int TIMED_PROG(payload_is_copied, const struct sk_buff *skb)
{
	struct task_struct *task = current_task();
	struct thread_call *call;
	struct overheads *o;

	if (!window)
		return 0;
	call = find_call(task);
	o = this_overheads();
	if (!call)
		adopt_reader(task, skb);
	if (!call || !o || !call->entry_ns || call->copied)
		return 0;
	call->copied = true;
	o->recv_calls++;
	o->recv_ns += bpf_ktime_get_ns() - call->entry_ns;
	return 0;
}

TRACEPOINT(tcp_sendmsg_locked)
int TIMED_PROG(payload_is_sent, const struct sock *sk)
{
	struct thread_call *call;
	struct overheads *o;

	if (!window)
		return 0;
	call = find_call(current_task());
	o = this_overheads();
	if (!call || !o || !call->entry_ns || call->sent)
		return 0;
	call->sent = true;
	o->send_calls++;
	o->send_ns += bpf_ktime_get_ns() - call->entry_ns;
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
