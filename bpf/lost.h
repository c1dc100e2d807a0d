/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * TCP requests that there was no room for. Several events of one find none; so that it is counted once, the last are remembered
 * here, by their connection's hash and a sequence number of its that stays the same until the next request.
 */
#ifndef TAUT_LOST_H
#define TAUT_LOST_H

#include "context.h"

#define MAX_LOST 4096

__u64 lost_requests[MAX_LOST] __weak = {};
/* Most measurements lose nothing, and need not look. */
__u32 has_lost __weak = 0;

static __always_inline __u64 *lost_place(__u32 hash)
{
	return &lost_requests[hash >> 20 & (MAX_LOST - 1)];
}

/* Has the request been counted as lost? One of another connection may have taken its place since. */
static __always_inline bool is_lost(__u32 hash, __u32 seq)
{
	return has_lost && *lost_place(hash) == ((__u64)hash << 32 | seq);
}

/* There is no room for a request: counts that, once. */
static __always_inline void lose_request(__u32 hash, __u32 seq)
{
	if (is_lost(hash, seq))
		return;
	has_lost = true;
	*lost_place(hash) = (__u64)hash << 32 | seq;
	COUNT(lost_map_full);
}

#endif
