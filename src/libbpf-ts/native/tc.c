// SPDX-License-Identifier: MIT
/*
 * Filters of traffic control. They hang on a clsact qdisc, which is shared: it is made when it
 * is missing, and what this process has made it removes again with the last filter.
 */
#include <errno.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addon.h"

struct tc_filter {
	struct bpf_tc_hook hook;
	struct bpf_tc_opts options;
	bool detached;
};

struct made_qdisc {
	int interface;
	struct made_qdisc *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* workers share the interfaces */
static struct made_qdisc *made_qdiscs;

static void remember_qdisc(int interface)
{
	struct made_qdisc *made = malloc(sizeof(*made));

	if (!made)
		return;
	made->interface = interface;
	made->next = made_qdiscs;
	made_qdiscs = made;
}

/* Whether a parent (ingress or egress of clsact) has filters: 1, 0, or a negative errno. */
static int has_filters(int interface, uint32_t parent)
{
	struct {
		struct nlmsghdr header;
		struct tcmsg message;
	} request = {
		.header = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct tcmsg)),
			    .nlmsg_type = RTM_GETTFILTER,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.message = { .tcm_family = AF_UNSPEC, .tcm_ifindex = interface, .tcm_parent = parent },
	};
	_Alignas(struct nlmsghdr) char reply[32 * 1024];
	struct nlmsghdr *header;
	int fd, result = -EIO;
	ssize_t size;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0)
		return -errno;
	if (send(fd, &request, sizeof(request), 0) < 0)
		result = -errno;
	else if ((size = recv(fd, reply, sizeof(reply), 0)) < 0)
		result = -errno;
	else if (header = (struct nlmsghdr *)reply, NLMSG_OK(header, (size_t)size))
		result = header->nlmsg_type == RTM_NEWTFILTER ? 1 : header->nlmsg_type == NLMSG_DONE ? 0 : -EIO;
	close(fd);
	return result;
}

static void remove_unused_qdisc(int interface)
{
	struct bpf_tc_hook hook = { .sz = sizeof(hook),
				    .ifindex = interface,
				    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS };
	struct made_qdisc **place = &made_qdiscs, *made;

	while (*place && (*place)->interface != interface)
		place = &(*place)->next;
	made = *place;
	if (!made || has_filters(interface, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)) != 0 ||
	    has_filters(interface, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS)) != 0)
		return;
	*place = made->next;
	free(made);
	bpf_tc_hook_destroy(&hook);
}

int tc_attach(int program_fd, uint32_t interface, bool egress, uint32_t priority, uint32_t handle,
	      struct tc_filter **result)
{
	struct tc_filter *filter = calloc(1, sizeof(*filter));
	int error;

	if (!filter)
		return -ENOMEM;
	filter->hook.sz = sizeof(filter->hook);
	filter->hook.ifindex = (int)interface;
	filter->hook.attach_point = egress ? BPF_TC_EGRESS : BPF_TC_INGRESS;
	filter->options.sz = sizeof(filter->options);
	filter->options.prog_fd = program_fd;
	filter->options.priority = priority;
	filter->options.handle = handle;

	pthread_mutex_lock(&lock);
	error = bpf_tc_hook_create(&filter->hook);
	if (!error)
		remember_qdisc(filter->hook.ifindex);
	if (!error || error == -EEXIST) {
		error = bpf_tc_attach(&filter->hook, &filter->options);
		if (error)
			remove_unused_qdisc(filter->hook.ifindex);
	}
	pthread_mutex_unlock(&lock);
	if (error)
		free(filter);
	else
		*result = filter;
	return error;
}

int tc_detach(struct tc_filter *filter)
{
	int error;

	if (filter->detached)
		return 0;
	filter->options.prog_fd = 0;
	filter->options.prog_id = 0;
	filter->options.flags = 0;
	pthread_mutex_lock(&lock);
	error = bpf_tc_detach(&filter->hook, &filter->options);
	remove_unused_qdisc(filter->hook.ifindex);
	pthread_mutex_unlock(&lock);
	/* Somebody else removed the filter, the qdisc or the interface: detached it is. */
	filter->detached = !error || error == -ENOENT || error == -ENODEV || error == -EINVAL;
	return filter->detached ? 0 : error;
}

void tc_free(struct tc_filter *filter)
{
	free(filter);
}
