// SPDX-License-Identifier: MIT
/*
 * The reader to compare with: libbpf's ring_buffer__consume, counting records and summing the
 * first 64 bits of each. For every line on its standard input it fills the ring buffer, reads it
 * empty, and prints: records, sum, nanoseconds of the reading.
 */
#include <bpf/libbpf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static uint64_t count, sum;

static int on_record(void *context, void *data, size_t size)
{
	uint64_t number;

	(void)context;
	(void)size;
	memcpy(&number, data, sizeof(number));
	count++;
	sum += number;
	return 0;
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static struct ring_buffer *start(const char *path, uint32_t burst)
{
	struct { uint32_t tid, padding; int64_t call; uint32_t burst, discard_every; } settings = {
		.tid = (uint32_t)syscall(SYS_gettid), .call = SYS_getuid, .burst = burst,
	};
	struct bpf_object *object = bpf_object__open(path);
	struct bpf_program *program;
	struct bpf_map *map;

	if (!object)
		return NULL;
	map = bpf_object__find_map_by_name(object, "records.rodata");
	if (!map || bpf_map__set_initial_value(map, &settings, sizeof(settings)) || bpf_object__load(object))
		return NULL;
	program = bpf_object__find_program_by_name(object, "write_records");
	if (!program || !bpf_program__attach(program))
		return NULL;
	return ring_buffer__new(bpf_object__find_map_fd_by_name(object, "ring"), on_record, NULL, NULL);
}

int main(int argc, char **argv)
{
	struct ring_buffer *ring = argc == 4 ? start(argv[1], (uint32_t)atoi(argv[2])) : NULL;
	char line[16];

	if (!ring) {
		fprintf(stderr, "usage: reader OBJECT BURST CALLS\n");
		return 1;
	}
	while (fgets(line, sizeof(line), stdin)) {
		uint64_t begin;

		for (int call = 0; call < atoi(argv[3]); call++)
			syscall(SYS_getuid);
		count = sum = 0;
		begin = now();
		if (ring_buffer__consume(ring) < 0)
			return 1;
		printf("%llu %llu %llu\n", (unsigned long long)count, (unsigned long long)sum,
		       (unsigned long long)(now() - begin));
		fflush(stdout);
	}
	return 0;
}
