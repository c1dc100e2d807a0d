/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * The ways in which probes get at the kernel. With BTF in the kernel the verifier knows the types of a tracepoint's arguments:
 * fields are read directly, and state hangs on the socket or thread it belongs to. Without it (TAUT_RAW, an object of its own
 * from the same sources) arguments are numbers: fields are read by a helper, at the offsets that a BTF file gives, and state is
 * in hashes, of which it is removed when its owner goes.
 */
#ifndef TAUT_KERNEL_ACCESS_H
#define TAUT_KERNEL_ACCESS_H

#include "kernel_types.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/*
 * Of a pointer that is a number to the verifier. As many bytes as the kernel's field has: on 32-bit kernels a pointer, or a
 * long, has fewer than here.
 */
#define READ_UNTYPED(from, field)                                                                          \
	({                                                                                                 \
		__typeof__(from) from_ = (from);                                                           \
		__typeof__(from_->field) value_ = 0;                                                       \
		bpf_probe_read_kernel((void *)&value_, bpf_core_field_size(from_->field),                  \
				      (const void *)__builtin_preserve_access_index(&from_->field));       \
		value_;                                                                                    \
	})

#ifndef TAUT_RAW

#define TRACEPOINT(name) SEC("tp_btf/" #name)

#define READ(from, field) ((from)->field)

#define current_task() bpf_get_current_task_btf()
#define tcp_of(sk) bpf_skc_to_tcp_sock(sk)
#define registers_of(task) ((void *)bpf_task_pt_regs(task))

#define STATE_OF(storage, name, state)                 \
	struct {                                       \
		__uint(type, storage);                 \
		__uint(map_flags, BPF_F_NO_PREALLOC);  \
		__type(key, int);                      \
		__type(value, state);                  \
	} name SEC(".maps")
#define STATE_OF_SOCKETS(name, state, map_type, flags, entries) STATE_OF(BPF_MAP_TYPE_SK_STORAGE, name, state)
#define STATE_OF_THREADS(name, state, map_type, flags, entries) STATE_OF(BPF_MAP_TYPE_TASK_STORAGE, name, state)

/* NULL where there is none; KEEP_ makes it, from zeros, and gives NULL where there is no room. */
#define FIND_OF_SOCKET(map, sk) bpf_sk_storage_get(&(map), sk, NULL, 0)
#define KEEP_OF_SOCKET(map, sk, zeros) bpf_sk_storage_get(&(map), sk, NULL, BPF_SK_STORAGE_GET_F_CREATE)
#define FIND_OF_THREAD(map, task) bpf_task_storage_get(&(map), task, NULL, 0)
#define KEEP_OF_THREAD(map, task, zeros) bpf_task_storage_get(&(map), task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE)
/* The kernel frees it with the socket. */
#define FORGET_SOCKET(map, sk) ((void)0)

#else

#define TRACEPOINT(name) SEC("raw_tp/" #name)

#define READ(from, field) READ_UNTYPED(from, field)

/* Where in a thread's stack its registers are: user space finds out before the load. */
const volatile __u32 registers_offset __weak = 0;

static __always_inline struct task_struct *current_task(void)
{
	return (struct task_struct *)bpf_get_current_task();
}

#define tcp_of(sk) ((struct tcp_sock *)(sk))
#define registers_of(task) ((void *)((__u64)READ(task, stack) + registers_offset))

#define STATE_OF(map_type, flags, entries, name, state) \
	struct {                                        \
		__uint(type, map_type);                 \
		__uint(map_flags, flags);               \
		__uint(max_entries, entries);           \
		__type(key, __u64);                     \
		__type(value, state);                   \
	} name SEC(".maps")
/* By the socket's address, and by the thread's number. */
#define STATE_OF_SOCKETS(name, state, map_type, flags, entries) STATE_OF(map_type, flags, entries, name, state)
#define STATE_OF_THREADS(name, state, map_type, flags, entries) STATE_OF(map_type, flags, entries, name, state)

static __always_inline void *find_state(void *map, __u64 key)
{
	return bpf_map_lookup_elem(map, &key);
}

static __always_inline void *keep_state(void *map, __u64 key, const void *zeros)
{
	void *state = bpf_map_lookup_elem(map, &key);

	if (state)
		return state;
	bpf_map_update_elem(map, &key, zeros, BPF_NOEXIST);
	return bpf_map_lookup_elem(map, &key);
}

static __always_inline void forget_state(void *map, __u64 key)
{
	bpf_map_delete_elem(map, &key);
}

#define FIND_OF_SOCKET(map, sk) find_state(&(map), (__u64)(sk))
#define KEEP_OF_SOCKET(map, sk, zeros) keep_state(&(map), (__u64)(sk), &(zeros))
#define FIND_OF_THREAD(map, task) find_state(&(map), READ(task, pid))
#define KEEP_OF_THREAD(map, task, zeros) keep_state(&(map), READ(task, pid), &(zeros))
#define FORGET_SOCKET(map, sk) forget_state(&(map), (__u64)(sk))

#endif

#endif
