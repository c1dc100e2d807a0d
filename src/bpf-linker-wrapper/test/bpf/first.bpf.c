// SPDX-License-Identifier: MIT OR GPL-2.0
#include "shared.h"

struct record {
	__u32 id;
};

struct {
	__uint(type, 6);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct record);
} per_cpu SEC(".maps");

struct {
	__uint(type, 27);
	__uint(max_entries, 4096);
} ring SEC(".maps");

const volatile endpoint_t filter = { .port = 80 };
__u64 seen;

__attribute__((noinline)) int count(int by)
{
	seen += by;
	return by;
}

SEC("raw_tp/sched_switch")
int first(void *ctx)
{
	__u32 key = filter.port;

	return bpf_map_lookup_elem(&samples, &key) || bpf_map_lookup_elem(&per_cpu, &key) ? count(1) : 0;
}

char LICENSE[] SEC("license") = "GPL";
