// SPDX-License-Identifier: MIT
/*
 * count-state OBJECT MAP_ID: prints how many sockets have an element in a map of whichever process, and "all"; or where the
 * kernel refuses to list those, how many of the sockets that are open in this network namespace, and "open".
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../../kernel/fixtures/clock.h"

static int print_nothing(enum libbpf_print_level level, const char *format, va_list args)
{
	return 0;
}

/* Gives the object with that one of its programs, on another's map; NULL where the kernel refuses it. */
static struct bpf_object *load_with(const char *path, const char *name, int map)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct bpf_program *program;

	if (!object)
		die("open");
	bpf_object__for_each_program(program, object)
		bpf_program__set_autoload(program, !strcmp(bpf_program__name(program), name));
	if (bpf_map__reuse_fd(bpf_object__find_map_by_name(object, "connections"), map))
		die("map");
	return bpf_object__load(object) ? NULL : object;
}

static struct bpf_link *attach_with(struct bpf_object *object, const char *name, const struct bpf_iter_attach_opts *options)
{
	struct bpf_link *link = bpf_program__attach_iter(bpf_object__find_program_by_name(object, name), options);

	if (!link)
		die("attach");
	return link;
}

static long count_bytes(struct bpf_link *link)
{
	static char elements[1 << 16];
	int fd = bpf_iter_create(bpf_link__fd(link));
	long count = 0;
	ssize_t length;

	if (fd < 0)
		die("iterator");
	while ((length = read(fd, elements, sizeof(elements))) > 0)
		count += length;
	if (length < 0)
		die("read");
	return count;
}

int main(int argc, char **argv)
{
	union bpf_iter_link_info info = {};
	LIBBPF_OPTS(bpf_iter_attach_opts, options, .link_info = &info, .link_info_len = sizeof(info));
	struct bpf_object *object;
	int map;

	if (argc != 3)
		return 2;
	map = bpf_map_get_fd_by_id(strtoul(argv[2], NULL, 10));
	if (map < 0)
		die("map");
	info.map.map_fd = map;
	libbpf_set_print(print_nothing);
	object = load_with(argv[1], "tell_element", map);
	if (object) {
		printf("%ld all\n", count_bytes(attach_with(object, "tell_element", &options)));
		return 0;
	}
	object = load_with(argv[1], "tell_socket", map);
	if (!object)
		die("load");
	printf("%ld open\n", count_bytes(attach_with(object, "tell_socket", NULL)));
	return 0;
}
