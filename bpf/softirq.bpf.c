// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Receive context: a NIC's interrupt, the NET_RX softirq it leads to, the driver's hand-over of a packet, and the point
 * where protocols take that up, on the same CPU or, by RPS, on another.
 */
#include "arrivals.h"
#include "cards.h"
#include "context.h"
#include "packets.h"
#include <bpf/bpf_core_read.h>

struct kept_packet handed[MAX_PACKETS];
struct kept_packet received[MAX_PACKETS];
struct batch batches[MAX_CPUS];
__u32 epoch = 0;
__u32 keeps_backlog = 0;

const volatile bool begins_at_ip = false;
const volatile __u64 nic_irqs[MAX_IRQS / 64] = {};

/*
 * Several cards or queues can interrupt before the softirq that they lead to: the first has waited for it longest. One that
 * comes again has led to none, for until its packets are fetched its card keeps it back: somebody else has fetched them.
 */
TRACEPOINT(irq_handler_entry)
int TIMED_PROG(irq_handler_entry, int irq)
{
	struct cpu_state *cpu = this_cpu();

	if (!is_card_irq(irq) || (cpu->irq_ns && cpu->irq != (__u32)irq))
		return 0;
	cpu->irq = irq;
	cpu->irq_ns = bpf_ktime_get_ns();
	return 0;
}

TRACEPOINT(softirq_entry)
int TIMED_PROG(softirq_entry, unsigned int vec)
{
	struct cpu_state *cpu = this_cpu();

	if (vec != NET_RX_SOFTIRQ) {
		cpu->softirq_ns = 0;
		return 0;
	}
	/* A NIC can interrupt right here: it then led to the next softirq, and not to this one. */
	cpu->softirq_irq_ns = cpu->irq_ns ? __sync_lock_test_and_set(&cpu->irq_ns, 0) : 0;
	cpu->softirq_ns = bpf_ktime_get_ns();
	wake_up(cpu, cpu->softirq_ns);
	return 0;
}

/*
 * Busy polling, threaded NAPI and tun deliver packets outside any softirq, and must not take an earlier one's time. Where
 * nothing does so it is let go: context switches and calls to send and receive tell as well that a softirq is over, so
 * that enough of such packets would be noticed.
 */
TRACEPOINT(softirq_exit)
int TIMED_PROG(softirq_exit, unsigned int vec)
{
	leave_softirq(this_cpu());
	return 0;
}

static __always_inline bool is_set(const void *pointer, __u32 size)
{
	__u64 value = 0;

	bpf_probe_read_kernel(&value, size, pointer);
	return value;
}

/* The verifier lets no field be read behind a distance that it does not know. */
static __always_inline bool is_queue_steered(struct net_device *dev, __u32 number)
{
	struct netdev_rx_queue *queue;
	__u64 queues = 0;

	if (number >= READ(dev, real_num_rx_queues))
		return false;
	/* As a number: before 6.3 the verifier lets nobody add one that it does not know to a pointer. */
	bpf_probe_read_kernel(&queues, bpf_core_field_size(dev->_rx), &dev->_rx);
	queue = (void *)(unsigned long)(queues + number * bpf_core_type_size(struct netdev_rx_queue));
	return (bpf_core_field_exists(queue->rps_map) && is_set(&queue->rps_map, bpf_core_field_size(queue->rps_map))) ||
	       (bpf_core_field_exists(queue->rps_flow_table) &&
		is_set(&queue->rps_flow_table, bpf_core_field_size(queue->rps_flow_table)));
}

/* Does RPS, or RFS alone, choose the CPU for the packets of the queue by which this one came (get_rps_cpu in net/core/dev.c)? */
static __always_inline bool is_steered(struct sk_buff *skb, struct net_device *dev)
{
	struct netdev_rx_queue *queue = READ(dev, _rx);
	/* One more than the queue's; 0 is none, whose packets are taken for the first one's. */
	__u32 number = READ(skb, queue_mapping);
	bool steered = false;

	if (number > 1)
		return is_queue_steered(dev, number - 1);
	if (bpf_core_field_exists(queue->rps_map))
		steered = READ(queue, rps_map);
	if (!steered && bpf_core_field_exists(queue->rps_flow_table))
		steered = READ(queue, rps_flow_table);
	return steered;
}

static __always_inline int hand_over(struct sk_buff *skb)
{
	struct cpu_state *cpu = this_cpu();
	struct packet_path path = {
		/* What loopback, veth and their like put into a softirq came by no interrupt, even if that softirq did. */
		.irq_ns = is_hardware(READ(skb, dev)) ? cpu->softirq_irq_ns : 0,
		.softirq_ns = cpu->softirq_ns,
		.handed_ns = bpf_ktime_get_ns(),
		.handed_cpu = bpf_get_smp_processor_id(),
	};

	keep_packet(handed, skb, &path);
	return 0;
}

TRACEPOINT(napi_gro_receive_entry)
int TIMED_PROG(napi_gro_receive, struct sk_buff *skb)
{
	return hand_over(skb);
}

TRACEPOINT(napi_gro_frags_entry)
int TIMED_PROG(napi_gro_frags, struct sk_buff *skb)
{
	return hand_over(skb);
}

TRACEPOINT(netif_receive_skb_entry)
int TIMED_PROG(netif_receive, struct sk_buff *skb)
{
	return hand_over(skb);
}

/*
 * Loopback, veth without GRO, and old drivers, which put packets on a CPU's backlog outside of any poll. On their own
 * CPU they are as good as handed over when the softirq begins.
 */
TRACEPOINT(netif_rx_entry)
int TIMED_PROG(netif_rx, struct sk_buff *skb)
{
	return is_steered(skb, READ(skb, dev)) ? hand_over(skb) : 0;
}

/*
 * A bridge hands up, as its own, the packet that a card has just given it: that has its way already, which goes on in the
 * bridge. The kernel notes in a packet whom it came by first.
 */
static __always_inline bool is_handed_up(struct sk_buff *skb, const struct cpu_state *cpu, void *ctx)
{
	__u32 first = READ(skb, skb_iif);
	__u64 address;

	if (!first || first == (__u32)READ(READ(skb, dev), ifindex))
		return false;
	bpf_probe_read_kernel(&address, sizeof(address), ctx);
	return address == cpu->packet_address && cpu->packet.softirq_ns == cpu->softirq_ns;
}

TRACEPOINT(netif_receive_skb)
int TIMED_PROG(netif_receive_skb, struct sk_buff *skb)
{
	struct cpu_state *cpu = this_cpu();
	struct net_device *dev = READ(skb, dev);
	bool steered = is_steered(skb, dev), hardware = is_hardware(dev);

	if (steered)
		COUNT(steered);
	if (!cpu->softirq_ns)
		COUNT(outside);
	/* The look-up is for those only whose driver hands over, as on loopback it would cost more than it tells. */
	if ((steered || hardware) && take_handed(skb, &cpu->packet)) {
		cpu->packet.receive_ns = bpf_ktime_get_ns();
	} else if (hardware || !is_handed_up(skb, cpu, ctx)) {
		cpu->packet.irq_ns = hardware ? cpu->softirq_irq_ns : 0;
		cpu->packet.softirq_ns = cpu->softirq_ns;
		cpu->packet.handed_ns = 0;
		cpu->packet.receive_ns = bpf_ktime_get_ns();
	}
	cpu->packet.cpu = bpf_get_smp_processor_id();
	cpu->is_card_packet = hardware;
	if (hardware || is_udp)
		bpf_probe_read_kernel(&cpu->packet_address, sizeof(cpu->packet_address), ctx);
	if (is_udp)
		expect_datagram(skb, cpu);
	else if (hardware)
		keep_in_batch(skb, &cpu->packet);
	if (keeps_backlog)
		keep_packet(received, skb, &cpu->packet);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
