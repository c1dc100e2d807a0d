// SPDX-License-Identifier: MIT
/*
 * hold CPU PAUSE_US: a real-time task on a CPU that sends itself datagrams over loopback, each after a pause of so long. A
 * BPF program on loopback makes receiving them take long. Prints "ready"; ends on SIGTERM.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include "../../kernel/fixtures/clock.h"

int main(int argc, char **argv)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sched_param priority = { .sched_priority = 50 };
	socklen_t size = sizeof(address);
	struct timespec pause;
	cpu_set_t set;
	char byte = 0;
	int fd;

	if (argc != 3)
		return 2;
	CPU_ZERO(&set);
	CPU_SET(atoi(argv[1]), &set);
	pause.tv_sec = 0;
	pause.tv_nsec = atol(argv[2]) * 1000;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) ||
	    getsockname(fd, (struct sockaddr *)&address, &size) || connect(fd, (struct sockaddr *)&address, size))
		die("socket");
	if (sched_setaffinity(0, sizeof(set), &set) || sched_setscheduler(0, SCHED_FIFO, &priority))
		die("real-time priority");
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		nanosleep(&pause, NULL);
		if (send(fd, &byte, 1, 0) != 1 || recv(fd, &byte, 1, 0) != 1)
			die("datagram");
	}
}
