/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* What the test sources need of libbpf's and the kernel's headers, so that they build without either. */
#ifndef TEST_BPF_H
#define TEST_BPF_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;

#define SEC(name) __attribute__((section(name), used))
#define __weak __attribute__((weak))
#define __uint(name, val) int(*name)[val]
#define __type(name, val) typeof(val) *name

static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;

/* The one part of the kernel's struct that is read; its real offset is filled in where the object is loaded. */
struct task_struct {
	int pid;
} __attribute__((preserve_access_index));

#endif
