// SPDX-License-Identifier: MIT OR GPL-2.0
/* taut's tracepoints with nothing in the handlers: what being called costs, whatever the handlers do. */
#include "kernel_types.h"
#include <bpf/bpf_helpers.h>

#define EMPTY(name, point)         \
	SEC("tp_btf/" #point)      \
	int name(__u64 *ctx)       \
	{                          \
		return 0;          \
	}

EMPTY(sched_switch, sched_switch)
EMPTY(sched_waking, sched_waking)
EMPTY(sched_process_fork, sched_process_fork)
EMPTY(recv_copies, skb_copy_datagram_iovec)
EMPTY(recv_ends, sock_recv_length)
EMPTY(send_copies, tcp_sendmsg_locked)
EMPTY(sys_enter, sys_enter)
EMPTY(cpu_idle, cpu_idle)
EMPTY(irq_handler_entry, irq_handler_entry)
EMPTY(softirq_entry, softirq_entry)
EMPTY(softirq_exit, softirq_exit)
EMPTY(napi_gro_receive, napi_gro_receive_entry)
EMPTY(napi_gro_frags, napi_gro_frags_entry)
EMPTY(netif_receive, netif_receive_skb_entry)
EMPTY(netif_rx, netif_rx_entry)
EMPTY(netif_receive_skb, netif_receive_skb)
EMPTY(connection_changes, inet_sock_set_state)
EMPTY(packet_is_enqueued, qdisc_enqueue)
EMPTY(packet_is_sent, net_dev_start_xmit)
EMPTY(reply_is_queued, sock_send_length)
EMPTY(payload_was_copied, tcp_rcv_space_adjust)
EMPTY(payload_is_ready, sk_data_ready)
EMPTY(payload_arrives, tcp_probe)

char LICENSE[] SEC("license") = "Dual MIT/GPL";
