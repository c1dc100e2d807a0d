/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* Sets of small numbers, one bit each in words of 64, as user space fills them in before the load. */
#ifndef TAUT_BITS_H
#define TAUT_BITS_H

#include "kernel_types.h"
#include <bpf/bpf_helpers.h>

static __always_inline bool in_bits(const volatile __u64 *bits, __u32 number, __u32 size)
{
	barrier_var(number);	/* or the compiler takes the bound apart, and the verifier does not see it */
	return number < size && (bits[number / 64] >> (number % 64) & 1);
}

#endif
