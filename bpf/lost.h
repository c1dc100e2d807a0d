/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * TCP requests that there was no room for. Several events of one find none; so that it is counted once, the last are remembered
 * here, by their connection's hash and a sequence number of its that stays the same until the next request.
 */
#ifndef TAUT_LOST_H
#define TAUT_LOST_H

#include "context.h"

/* Connections whose hashes begin alike share a set, in which there is room for the latest requests of so many. */
#define LOST_SETS 4096
#define LOST_WAYS 4

__u64 lost_requests[LOST_SETS][LOST_WAYS] __weak = {};
/* Most measurements lose nothing, and need not look. */
__u32 has_lost __weak = 0;

static __always_inline __u64 *lost_set(__u32 hash)
{
	return lost_requests[hash >> 20 & (LOST_SETS - 1)];
}

/* Has the request been counted as lost? More than LOST_WAYS other connections may have taken its place since. */
static __always_inline bool is_lost(__u32 hash, __u32 seq)
{
	__u64 *set = lost_set(hash);

	for (int way = 0; has_lost && way < LOST_WAYS; way++) {
		if (set[way] == ((__u64)hash << 32 | seq))
			return true;
	}
	return false;
}

/* There is no room for a request: counts that, once. */
static __always_inline void lose_request(__u32 hash, __u32 seq)
{
	__u64 *set = lost_set(hash);
	int last = 0;

	if (is_lost(hash, seq))
		return;
	has_lost = true;
	/* In the place of the connection's last one, or else of what was there for longest. */
	while (last < LOST_WAYS - 1 && set[last] >> 32 != hash)
		last++;
	for (int way = LOST_WAYS - 1; way > 0; way--) {
		if (way <= last)
			set[way] = set[way - 1];
	}
	set[0] = (__u64)hash << 32 | seq;
	COUNT(lost_map_full);
}

#endif
