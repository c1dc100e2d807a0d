// SPDX-License-Identifier: MIT
/* count-state OBJECT MAP_ID: prints how many sockets have an element in a map of whichever process. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "../../kernel/fixtures/clock.h"

int main(int argc, char **argv)
{
	static char elements[1 << 16];
	union bpf_iter_link_info info = {};
	LIBBPF_OPTS(bpf_iter_attach_opts, options, .link_info = &info, .link_info_len = sizeof(info));
	struct bpf_object *object;
	struct bpf_program *program;
	struct bpf_link *link;
	long count = 0;
	ssize_t length;
	int fd;

	if (argc != 3)
		return 2;
	info.map.map_fd = bpf_map_get_fd_by_id(strtoul(argv[2], NULL, 10));
	if ((int)info.map.map_fd < 0)
		die("map");
	object = bpf_object__open_file(argv[1], NULL);
	if (!object || bpf_object__load(object))
		die("load");
	program = bpf_object__next_program(object, NULL);
	link = bpf_program__attach_iter(program, &options);
	if (!link)
		die("attach");
	fd = bpf_iter_create(bpf_link__fd(link));
	if (fd < 0)
		die("iterator");
	while ((length = read(fd, elements, sizeof(elements))) > 0)
		count += length;
	if (length < 0)
		die("read");
	printf("%ld\n", count);
	return 0;
}
