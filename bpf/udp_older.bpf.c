// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Stands in for sk_data_ready and sock_recv_length of datagrams, which came with Linux 6.3: what has come to IP for the
 * service's port is a request, and the end of a system call that receives from one of its sockets is a read.
 */
#include "arrivals.h"
#include "begin.h"
#include "bits.h"
#include "context.h"
#include "reads.h"
#include "target.h"

/* One bit a number: those system calls that read several datagrams. */
const volatile __u64 batch_syscalls[MAX_SYSCALLS / 64] = {};

/* So many datagrams of one call are counted. */
#define MAX_BATCH 64

/* After netif_receive_skb of softirq.bpf.c, which is attached before. What the kernel drops from here on is a request as well. */
TRACEPOINT(netif_receive_skb)
int TIMED_PROG(datagram_comes, struct sk_buff *skb)
{
	struct cpu_state *cpu = this_cpu();
	struct arrivals *arrivals = arrivals_of(bpf_get_smp_processor_id());
	struct incoming incoming;
	struct reader reader;

	if (!arrivals)
		return 0;
	incoming = *latest_of(arrivals);
	if (incoming.path.receive_ns != cpu->packet.receive_ns || !claim(latest_of(arrivals)) || !find_reader(0, &reader))
		return 0;
	/* Of what is ahead of it on the socket nothing is known yet. */
	begin_datagram(&incoming, 0, reader.reads->count);
	return 0;
}

/* The socket that a file descriptor of this thread is; NULL if it is none. */
static __always_inline struct sock *find_socket(__u32 fd)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct fdtable *table = READ_UNTYPED(READ_UNTYPED(task, files), fdt);
	__u32 pointer_size = bpf_core_field_size(table->fd);
	struct file *file = NULL;
	struct socket *socket;

	if (fd >= READ_UNTYPED(table, max_fds))
		return NULL;
	bpf_probe_read_kernel(&file, pointer_size, (void *)READ_UNTYPED(table, fd) + fd * pointer_size);
	socket = file ? READ_UNTYPED(file, private_data) : NULL;
	/* Files of other kinds have something else there. */
	return socket && READ_UNTYPED(socket, file) == file ? READ_UNTYPED(socket, sk) : NULL;
}

static __always_inline bool is_target_number(struct sock *sk)
{
	return sk && READ_UNTYPED(sk, sk_protocol) == IPPROTO_UDP &&
	       is_target_port(READ_UNTYPED(sk, __sk_common.skc_num)) &&
	       READ_UNTYPED(READ_UNTYPED(sk, __sk_common.skc_net.net), ns.inum) == netns;
}

TRACEPOINT(sys_exit)
int TIMED_PROG(datagram_was_read, struct pt_regs *regs, long result)
{
	struct cpu_state *cpu = this_cpu();
	struct left_call call;
	struct reader reader;
	struct sock *sk;
	__u64 now;
	__u32 count;

	if (!cpu->tid || result < 0)
		return 0;
	call = left_call_of(current_task());
	if (!in_bits(receive_syscalls, call.number, MAX_SYSCALLS))
		return 0;
	sk = find_socket(call.argument);
	if (!is_target_number(sk) || !find_reader((__u64)sk, &reader))
		return 0;
	now = bpf_ktime_get_ns();
	count = in_bits(batch_syscalls, call.number, MAX_SYSCALLS) ? result : 1;
	for (__u32 i = 0; i < MAX_BATCH && i < count; i++)
		keep_read(&reader, cpu, now);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
