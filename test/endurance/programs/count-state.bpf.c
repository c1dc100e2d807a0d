// SPDX-License-Identifier: MIT OR GPL-2.0
/* Which sockets have an element in a map of the kind socket storage. One byte each. */
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

struct bpf_iter__tcp {
	struct bpf_iter_meta *meta;
	struct sock_common *sk_common;
} __attribute__((preserve_access_index));

/* User space puts another process's in its place; it has to be like that. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, int);
} connections SEC(".maps");

/* Runs over all elements of a map, those of sockets that are gone included; at the end there is none. */
SEC("iter/bpf_sk_storage_map")
int tell_element(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	if (ctx->value)
		bpf_seq_write(ctx->meta->seq, ".", 1);
	return 0;
}

/* Runs over the sockets of this network namespace that are connected or listen. */
SEC("iter/tcp")
int tell_socket(struct bpf_iter__tcp *ctx)
{
	struct sock_common *sk = ctx->sk_common;
	struct tcp_sock *tp;

	if (!sk)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (tp && bpf_sk_storage_get(&connections, tp, 0, 0))
		bpf_seq_write(ctx->meta->seq, ".", 1);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
