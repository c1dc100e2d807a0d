/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* One struct of everything that the generated decoders have to know. */
#ifndef TEST_SHARED_H
#define TEST_SHARED_H

#include "bpf.h"

enum color { RED = 1, BLUE = 7 };

typedef struct {
	__u16 port;
	signed char small;
} endpoint_t;

struct sample {
	__u64 at;
	long long delta;
	__u32 bits_a : 3;
	int bits_b : 9;
	__u64 bits_c : 40;
	_Bool on;
	char comm[16];
	__u8 raw[6];
	endpoint_t ends[2];
	enum color color;
	void *where;
	__int128 wide;
	union {
		__u32 word;
		__u8 octets[4];
	};
	struct {
		short x, y;
	} place;
	char lines[2][5];
	__u64 grid[2][3];
	double ratio;
	float part;
};

struct {
	__uint(type, 1);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, struct sample);
} samples __weak SEC(".maps");

#endif
