// SPDX-License-Identifier: MIT OR GPL-2.0
/* The types of a kernel whose thread has its tgid at TGID_OFFSET. */
struct task_struct {
	char before[TGID_OFFSET];
	int tgid;
	int pid;
};

struct task_struct *task;
