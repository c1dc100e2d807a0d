/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * Probes that time themselves while they are told to. The kernel would do so for all BPF programs (BPF_ENABLE_STATS), but
 * patches its own code to begin and to end, which holds up whatever runs for some milliseconds.
 */
#ifndef TAUT_OWN_TIME_H
#define TAUT_OWN_TIME_H

#include "kernel_types.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* Set by user space meanwhile. */
__u32 is_timed __weak = 0;

/* Nanoseconds, cumulative. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} own_ns SEC(".maps") __weak;

static __always_inline __u64 begin_own_time(void)
{
	return is_timed ? bpf_ktime_get_ns() : 0;
}

static __always_inline void end_own_time(__u64 begin)
{
	__u32 zero = 0;
	__u64 *sum;

	if (!begin)
		return;
	sum = bpf_map_lookup_elem(&own_ns, &zero);
	if (sum)
		__sync_fetch_and_add(sum, bpf_ktime_get_ns() - begin);
}

/* A handler, as BPF_PROG of libbpf makes it, that is timed. */
#define TIMED_PROG(name, args...)                                                \
	name(unsigned long long *ctx);                                           \
	static __always_inline int ____##name(unsigned long long *ctx, ##args);  \
	int name(unsigned long long *ctx)                                        \
	{                                                                        \
		__u64 begin_ns = begin_own_time();                               \
		int result;                                                      \
                                                                                 \
		_Pragma("GCC diagnostic push")                                   \
		_Pragma("GCC diagnostic ignored \"-Wint-conversion\"")         \
		result = ____##name(___bpf_ctx_cast(args));                      \
		_Pragma("GCC diagnostic pop")                                    \
		end_own_time(begin_ns);                                          \
		return result;                                                   \
	}                                                                        \
	static __always_inline int ____##name(unsigned long long *ctx, ##args)

#endif
