// SPDX-License-Identifier: MIT
/*
 * The reader to compare with: libbpf's ring_buffer__consume, which counts records and sums the
 * first 64 bits of each. For every line on its standard input it reads a round of records and
 * prints: count, sum, begin and end in nanoseconds. It makes the system calls that write the
 * records itself, before it begins to read, or, given a writer's thread id, waits for them.
 */
#include <bpf/libbpf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* The read-only data of records.bpf.c; other values than these show in the count. */
struct settings {
	uint32_t thread, padding;
	int64_t call;
	uint32_t burst, discard_every;
};

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

static struct ring_buffer *start(const char *path, const struct settings *settings)
{
	struct bpf_object *object = bpf_object__open(path);
	struct bpf_program *program;
	struct bpf_map *map;

	if (!object)
		return NULL;
	map = bpf_object__find_map_by_name(object, "records.rodata");
	if (!map || bpf_map__set_initial_value(map, settings, sizeof(*settings)) || bpf_object__load(object))
		return NULL;
	program = bpf_object__find_program_by_name(object, "write_records");
	if (!program || !bpf_program__attach(program))
		return NULL;
	return ring_buffer__new(bpf_object__find_map_fd_by_name(object, "ring"), on_record, NULL, NULL);
}

static int read_round(struct ring_buffer *ring, int calls, uint64_t wanted)
{
	uint64_t begin;

	for (int call = 0; call < calls; call++)
		syscall(SYS_getuid);
	count = sum = 0;
	begin = now();
	if (calls && ring_buffer__consume(ring) < 0)
		return -1;
	while (!calls && count < wanted) {
		if (ring_buffer__poll(ring, -1) < 0)
			return -1;
	}
	printf("%llu %llu %llu %llu\n", (unsigned long long)count, (unsigned long long)sum,
	       (unsigned long long)begin, (unsigned long long)now());
	fflush(stdout);
	return 0;
}

int main(int argc, char **argv)
{
	struct settings settings = { .call = SYS_getuid };
	struct ring_buffer *ring;
	int calls, writer;
	char line[16];

	if (argc != 5) {
		fprintf(stderr, "usage: reader OBJECT BURST CALLS WRITER\n");
		return 2;
	}
	settings.burst = (uint32_t)atoi(argv[2]);
	calls = atoi(argv[3]);
	writer = atoi(argv[4]);
	settings.thread = writer ? (uint32_t)writer : (uint32_t)syscall(SYS_gettid);
	ring = start(argv[1], &settings);
	if (!ring)
		return 1;
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		if (read_round(ring, writer ? 0 : calls, (uint64_t)settings.burst * (uint64_t)calls))
			return 1;
	}
	return 0;
}
