// SPDX-License-Identifier: MIT
/*
 * burst INTERFACE PORT CPU BURST_US: a real-time task that takes the CPU for so long whenever a request to the port comes
 * in by the interface. The kernel shows it the packet before the service gets it, so that it is on the CPU first. Prints
 * "ready", and on SIGTERM one JSON line with how long all bursts took by its own clock.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include "../../kernel/fixtures/clock.h"

static int packets;
static long burst_ns;
static int cpu;
static unsigned long sum_ns, times;

/* Packets with the port as their destination and with PSH: the last, or only, one of a request. */
static void listen_for_requests(const char *interface, int port)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9), /* protocol */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, 6),
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0), /* length of the IP header */
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2), /* destination port */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 0, 3),
		BPF_STMT(BPF_LD | BPF_B | BPF_IND, 13), /* flags */
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 8, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog filter = { sizeof(code) / sizeof(*code), code };
	struct sockaddr_ll address = { .sll_family = AF_PACKET,
				       .sll_protocol = htons(ETH_P_ALL),
				       .sll_ifindex = if_nametoindex(interface) };

	packets = socket(AF_PACKET, SOCK_DGRAM, 0);
	if (packets < 0 || setsockopt(packets, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) ||
	    bind(packets, (struct sockaddr *)&address, sizeof(address)))
		die("packet socket");
}

static void *burst(void *unused)
{
	struct sched_param priority = { .sched_priority = 50 };
	cpu_set_t set;
	char byte;

	(void)unused;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) || sched_setscheduler(0, SCHED_FIFO, &priority))
		die("real-time priority");
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		long start;

		if (recv(packets, &byte, 1, 0) < 0)
			die("recv");
		start = now_ns();
		while (now_ns() < start + burst_ns)
			;
		__atomic_fetch_add(&sum_ns, now_ns() - start, __ATOMIC_RELAXED);
		__atomic_fetch_add(&times, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	sigset_t signals;
	pthread_t thread;
	int signal_number;

	if (argc != 5)
		return 2;
	cpu = atoi(argv[3]);
	burst_ns = atol(argv[4]) * 1000;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	listen_for_requests(argv[1], atoi(argv[2]));
	if (pthread_create(&thread, NULL, burst, NULL))
		die("thread");
	sigwait(&signals, &signal_number);
	printf("{\"sum_ns\":%lu,\"times\":%lu}\n", sum_ns, times);
	return 0;
}
