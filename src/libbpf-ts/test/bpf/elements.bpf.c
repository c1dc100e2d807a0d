// SPDX-License-Identifier: MIT OR GPL-2.0
/* An iterator over a map's elements, which some kernels refuse, in an object of its own. */
#include "kernel_types.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
} __attribute__((preserve_access_index));

struct bpf_iter__bpf_map_elem {
	struct bpf_iter_meta *meta;
	void *key;
	void *value;
} __attribute__((preserve_access_index));

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 3);
	__type(key, __u32);
	__type(value, __u32);
} numbers SEC(".maps");

SEC("iter/bpf_map_elem")
int list_elements(struct bpf_iter__bpf_map_elem *context)
{
	__u32 *value = context->value;

	if (value)
		bpf_seq_write(context->meta->seq, value, sizeof(*value));
	return 0;
}
