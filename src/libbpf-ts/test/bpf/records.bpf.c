// SPDX-License-Identifier: MIT OR GPL-2.0
/* Writes numbered records into ring buffers, some at each system call of one thread. */
#include "kernel_types.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#ifndef RECORD_BYTES
#define RECORD_BYTES 64
#endif
#ifndef RING_BYTES
#define RING_BYTES (1 << 24)
#endif

const volatile __u32 wanted_tid = 0;
const volatile __s64 wanted_call = 0;
const volatile __u32 burst = 1; /* records a system call */
const volatile __u32 discard_every = 0;

__u64 written = 0;
__u64 dropped = 0;
__u64 discarded = 0;
__u64 sum = 0; /* of the numbers written */

struct record {
	__u64 number;
	__u8 padding[RECORD_BYTES - 8];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, RING_BYTES);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} small_ring SEC(".maps");

struct call_context {
	__u64 registers;
	long call;
};

static void write_record(void *map)
{
	struct record *record = bpf_ringbuf_reserve(map, sizeof(*record), 0);

	if (!record) {
		dropped++;
		return;
	}
	record->number = written + 1;
	if (discard_every && (written + discarded) % discard_every == 0) {
		discarded++;
		bpf_ringbuf_discard(record, 0);
		return;
	}
	written++;
	sum += written;
	bpf_ringbuf_submit(record, 0);
}

static int wanted(struct call_context *context)
{
	return (__u32)bpf_get_current_pid_tgid() == wanted_tid && context->call == wanted_call;
}

SEC("raw_tp/sys_enter")
int write_records(struct call_context *context)
{
	if (wanted(context)) {
		for (__u32 i = 0; i < 2000 && i < burst; i++)
			write_record(&ring);
	}
	return 0;
}

SEC("raw_tp/sys_enter")
int write_small_records(struct call_context *context)
{
	if (wanted(context)) {
		for (__u32 i = 0; i < 2000 && i < burst; i++)
			write_record(&small_ring);
	}
	return 0;
}
