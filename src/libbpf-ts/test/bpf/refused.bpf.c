// SPDX-License-Identifier: MIT OR GPL-2.0
/* A program that the verifier refuses, and one that it takes. */
#include "kernel_types.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} map SEC(".maps");

SEC("raw_tp/sys_enter")
int fine(void *context)
{
	return 0;
}

SEC("raw_tp/sys_enter")
int unchecked(void *context)
{
	__u32 key = 0, *value = bpf_map_lookup_elem(&map, &key);

	return *value;
}
