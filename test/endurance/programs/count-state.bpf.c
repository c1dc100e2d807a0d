// SPDX-License-Identifier: MIT OR GPL-2.0
/* Runs over all elements of a map of the kind socket storage, those of sockets that are gone included. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct bpf_iter_meta {
	struct seq_file *seq;
} __attribute__((preserve_access_index));

struct bpf_iter__bpf_sk_storage_map {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	struct sock *sk;
	void *value;
} __attribute__((preserve_access_index));

/* One byte an element; at the end there is none. */
SEC("iter/bpf_sk_storage_map")
int tell_element(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	if (ctx->value)
		bpf_seq_write(ctx->meta->seq, ".", 1);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
