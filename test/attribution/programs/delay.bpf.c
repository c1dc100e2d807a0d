// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Delays of a known length, each at one place of a request's way through the kernel: programs that spin until the clock
 * has advanced by so much, and add up what they have really spun. With a delay of 0 they run all the same, so that two
 * measurements differ in nothing but the delay.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <stdbool.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* The service's port, its CPU, and its network card's interrupt. */
const volatile __u16 port;
const volatile __u32 service_cpu;
const volatile __u32 irq;
const volatile __u64 delay_ns;
/* From one request to the next. */
const volatile __u64 interval_ns;

/* What was delayed, by how much in all. Where a place is only looked at: the sum of the times when it was passed. */
__u64 sum_ns;
__u64 times;

/* Enough turns of the loop for seconds. */
#define MAX_TURNS (1 << 23)

static long is_over(__u32 turn, __u64 *end_ns)
{
	(void)turn;
	return bpf_ktime_get_ns() >= *end_ns;
}

static __always_inline void count(__u64 ns)
{
	__sync_fetch_and_add(&sum_ns, ns);
	__sync_fetch_and_add(&times, 1);
}

static __always_inline void spin(void)
{
	__u64 start_ns = bpf_ktime_get_ns(), end_ns = start_ns + delay_ns;

	if (delay_ns)
		bpf_loop(MAX_TURNS, is_over, &end_ns, 0);
	count(bpf_ktime_get_ns() - start_ns);
}

enum kind { OTHER, REQUEST, ACK, REPLY };

/* The packet that ends a request: the last of one write of the client, on which TCP sets PSH. */
static __always_inline enum kind classify(void *data, void *end)
{
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	struct tcphdr *tcp = (void *)(ip + 1);
	int payload;

	if ((void *)(tcp + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP) || ip->ihl != 5 ||
	    ip->protocol != IPPROTO_TCP)
		return OTHER;
	payload = bpf_ntohs(ip->tot_len) - sizeof(*ip) - tcp->doff * 4;
	if (tcp->source == bpf_htons(port))
		return payload ? REPLY : OTHER;
	if (tcp->dest != bpf_htons(port) || tcp->syn || tcp->fin || tcp->rst)
		return OTHER;
	if (payload)
		return tcp->psh ? REQUEST : OTHER;
	return ACK;
}

static __always_inline enum kind classify_skb(struct __sk_buff *skb)
{
	return classify((void *)(long)skb->data, (void *)(long)skb->data_end);
}

SEC("xdp")
int delay_in_driver(struct xdp_md *ctx)
{
	if (classify((void *)(long)ctx->data, (void *)(long)ctx->data_end) == REQUEST)
		spin();
	return XDP_PASS;
}

SEC("tc")
int delay_request(struct __sk_buff *skb)
{
	if (classify_skb(skb) == REQUEST)
		spin();
	return TC_ACT_OK;
}

SEC("tc")
int delay_reply(struct __sk_buff *skb)
{
	if (classify_skb(skb) == REPLY)
		spin();
	return TC_ACT_OK;
}

static bool has_reply;

SEC("tc")
int await_ack(struct __sk_buff *skb)
{
	if (classify_skb(skb) == REPLY)
		has_reply = true;
	return TC_ACT_OK;
}

/* Of the client's acknowledgements those of a reply, and not of the connection itself. */
SEC("tc")
int delay_ack(struct __sk_buff *skb)
{
	if (classify_skb(skb) == ACK && has_reply) {
		has_reply = false;
		spin();
	}
	return TC_ACT_OK;
}

/* Two of these, before and behind a place: the difference of their sums is the time spent between, of all replies. */
SEC("tc")
int note_reply(struct __sk_buff *skb)
{
	if (classify_skb(skb) == REPLY)
		count(bpf_ktime_get_ns());
	return TC_ACT_OK;
}

static volatile __u64 request_ns;

SEC("tc")
int note_request(struct __sk_buff *skb)
{
	if (classify_skb(skb) == REQUEST)
		request_ns = bpf_ktime_get_ns();
	return TC_ACT_OK;
}

struct hold {
	__u64 start_ns, end_ns;
};

static long is_sent(__u32 turn, struct hold *hold)
{
	return request_ns >= hold->start_ns || is_over(turn, &hold->end_ns);
}

/*
 * Holds the CPU of whoever sends a datagram to this interface, in the softirq that receives it: until a request has been
 * sent, which may be late, and then for as long as that is to be delayed. Steered to this CPU, it waits.
 */
SEC("tc")
int hold_cpu(struct __sk_buff *skb)
{
	__u64 now = bpf_ktime_get_ns();
	struct hold hold = { now, now + 2 * interval_ns };

	(void)skb;
	bpf_loop(MAX_TURNS, is_sent, &hold, 0);
	if (request_ns < hold.start_ns)
		return TC_ACT_OK;
	hold.end_ns = request_ns + delay_ns;
	bpf_loop(MAX_TURNS, is_over, &hold.end_ns, 0);
	count(bpf_ktime_get_ns() - request_ns);
	return TC_ACT_OK;
}

/*
 * A request wakes the service with an interrupt to its CPU within a part of the time to the next one, if that sleeps: long for a
 * hypervisor that has to wake it first.
 */
#define WAKE_PART 5

/* A slow wake-up of an idle CPU: in the interrupt that ends its sleep. */
static __always_inline int delay_wake_up(void)
{
	bool is_idle = !(__u32)bpf_get_current_pid_tgid();

	if (bpf_get_smp_processor_id() != service_cpu || !is_idle)
		return 0;
	if (bpf_ktime_get_ns() - __sync_lock_test_and_set(&request_ns, 0) < interval_ns / WAKE_PART)
		spin();
	return 0;
}

SEC("raw_tp/reschedule_entry")
int delay_reschedule(void *ctx)
{
	(void)ctx;
	return delay_wake_up();
}

SEC("raw_tp/call_function_single_entry")
int delay_call(void *ctx)
{
	(void)ctx;
	return delay_wake_up();
}

/* A slow interrupt handler: between the card's interrupt and the softirq it asks for. Its first argument is the number. */
SEC("raw_tp/irq_handler_exit")
int delay_interrupt(struct bpf_raw_tracepoint_args *ctx)
{
	if (ctx->args[0] == irq)
		spin();
	return 0;
}

/* A slow driver: before each packet that it hands over. */
SEC("raw_tp/napi_gro_receive_entry")
int delay_hand_over(void *ctx)
{
	(void)ctx;
	spin();
	return 0;
}

struct sock_common {
	__u16 skc_num;
} __attribute__((preserve_access_index));

struct sock {
	struct sock_common __sk_common;
} __attribute__((preserve_access_index));

struct sk_buff {
	struct sock *sk;
} __attribute__((preserve_access_index));

static __always_inline int delay_service(const struct sock *sk)
{
	if (sk && BPF_CORE_READ(sk, __sk_common.skc_num) == port)
		spin();
	return 0;
}

/*
 * Slow ways of a system call to the socket layer: whoever attaches to the tracepoints where that begins to copy later than
 * these programs comes behind them. Their first arguments are the packet and the socket.
 */
SEC("raw_tp/skb_copy_datagram_iovec")
int delay_before_copy(struct bpf_raw_tracepoint_args *ctx)
{
	return delay_service(BPF_CORE_READ((struct sk_buff *)ctx->args[0], sk));
}

SEC("raw_tp/tcp_sendmsg_locked")
int delay_before_send(struct bpf_raw_tracepoint_args *ctx)
{
	return delay_service((struct sock *)ctx->args[0]);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
