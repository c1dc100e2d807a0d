/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * The kernel's types, as far as the probes read them. libbpf relocates every field against the running
 * kernel (CO-RE), so the order and the missing fields do not matter, and no build machine's vmlinux.h is
 * needed: the object comes out the same everywhere.
 */
#ifndef TAUT_KERNEL_TYPES_H
#define TAUT_KERNEL_TYPES_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef _Bool bool;
#define true 1
#define false 0
#define NULL ((void *)0)

enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
	BPF_F_MMAPABLE = 1U << 10,
	BPF_F_NO_PREALLOC = 1U << 0,
	BPF_LOCAL_STORAGE_GET_F_CREATE = 1,
	BPF_SK_STORAGE_GET_F_CREATE = 1,
	BPF_RB_NO_WAKEUP = 1,
	BPF_RB_FORCE_WAKEUP = 2,
	BPF_RB_AVAIL_DATA = 0,
};

enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_SK_STORAGE = 24,
	BPF_MAP_TYPE_RINGBUF = 27,
	BPF_MAP_TYPE_TASK_STORAGE = 29,
};

/* include/net/tcp_states.h */
enum {
	TCP_ESTABLISHED = 1,
	TCP_FIN_WAIT1 = 4,
	TCP_FIN_WAIT2 = 5,
	TCP_CLOSE = 7,
	TCP_CLOSE_WAIT = 8,
	TCP_LAST_ACK = 9,
	TCP_LISTEN = 10,
	TCP_CLOSING = 11,
};

/* include/net/dropreason-core.h, since 5.18; the numbers differ from kernel to kernel. */
enum skb_drop_reason {
	SKB_DROP_REASON_NETFILTER_DROP,
	SKB_DROP_REASON_NEIGH_CREATEFAIL,
	SKB_DROP_REASON_NEIGH_FAILED,
	SKB_DROP_REASON_NEIGH_QUEUEFULL,
	SKB_DROP_REASON_NEIGH_DEAD,
	SKB_DROP_REASON_BPF_CGROUP_EGRESS,
	SKB_DROP_REASON_TC_EGRESS,
	SKB_DROP_REASON_QDISC_DROP,
	SKB_DROP_REASON_QDISC_OVERLIMIT,
	SKB_DROP_REASON_QDISC_CONGESTED,
	SKB_DROP_REASON_QDISC_BURST_DROP,
	SKB_DROP_REASON_CAKE_FLOOD,
	SKB_DROP_REASON_FQ_BAND_LIMIT,
	SKB_DROP_REASON_FQ_HORIZON_LIMIT,
	SKB_DROP_REASON_FQ_FLOW_LIMIT,
};

#define AF_INET 2
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define RCV_SHUTDOWN 1
#define MSG_PEEK 2
#define MSG_ERRQUEUE 0x2000
#define NET_RX_SOFTIRQ 3
#define PWR_EVENT_EXIT ((unsigned int)-1)

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct sk_buff;

struct in6_addr {
	union {
		__be32 u6_addr32[4];
	} in6_u;
};

struct sock_common {
	__be32 skc_daddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	union {
		unsigned int skc_hash;
	};
};

typedef struct {
	int owned;
} socket_lock_t;

struct sk_buff_head {
	struct sk_buff *prev;
	__u32 qlen;
};

struct sock {
	struct sock_common __sk_common;
	struct sk_buff_head sk_receive_queue;
	socket_lock_t sk_lock;
	__u8 sk_shutdown;
	__u16 sk_protocol;
};

struct udp_prod_queue;

struct udp_sock {
	struct sk_buff_head reader_queue;
	struct udp_prod_queue *udp_prod_queue;
};

struct file {
	void *private_data;
};

struct socket {
	struct file *file;
	struct sock *sk;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct iov_iter {
	unsigned long long count;
};

struct msghdr {
	struct iov_iter msg_iter;
};

struct tcp_rack {
	__u64 mstamp;
	__u32 rtt_us;
	__u32 end_seq;
};

struct tcp_sock {
	__u32 rcv_nxt;
	__u32 copied_seq;
	__u32 write_seq;
	__u32 snd_una;
	struct {
		__u32 seq;
	} rcvq_space;
	struct tcp_rack rack;
};

struct rps_map;
struct rps_dev_flow_table;

struct netdev_rx_queue {
	struct rps_map *rps_map;
	struct rps_dev_flow_table *rps_flow_table;
};

struct device {
	struct device *parent;
};

struct net_device {
	struct netdev_rx_queue *_rx;
	unsigned int real_num_rx_queues;
	possible_net_t nd_net;
	int ifindex;
	unsigned char lower_level;
	struct device dev;
};

struct napi_struct {
	struct net_device *dev;
};

struct sk_buff {
	struct net_device *dev;
	struct sock *sk;
	unsigned int len;
	unsigned int truesize;
	int skb_iif;
	__u8 pkt_type : 3;
	__u16 queue_mapping;
	__u16 transport_header;
	__u16 network_header;
	unsigned int end;
	unsigned char *head;
	unsigned char *data;
};

/* include/uapi/linux/if_packet.h */
#define PACKET_BROADCAST 1
#define PACKET_MULTICAST 2
#define PACKET_LOOPBACK 5 /* of these, what is sent to this machine as well */

#define TCQ_F_NOLOCK 0x100

struct Qdisc {
	unsigned int flags;
};

struct skb_shared_info {
	unsigned short gso_size;
};

struct task_struct {
	unsigned int __state;
	unsigned int flags;
	int pid;
	__u32 tgid;
	void *stack;
	struct files_struct *files;
};

struct bpf_iter__task {
	struct task_struct *task;
};

struct bpf_iter__bpf_sk_storage_map {
	struct sock *sk;
};

struct Qdisc;
struct netdev_queue;
struct pt_regs;

#pragma clang attribute pop

#endif
