// SPDX-License-Identifier: MIT
/*
 * account-clock: prints how many nanoseconds of each run of a BPF program in the kernel's account are that account's own, the
 * reading of its clock: of a program that does nothing, what the account says less what a run takes without one.
 */
#include <bpf/bpf.h>
#include <stdio.h>
#include "../../kernel/fixtures/clock.h"

#define RUNS 1000000

/* r0 = 0; exit */
static const struct bpf_insn nothing[] = {
	{ .code = BPF_ALU64 | BPF_MOV | BPF_K },
	{ .code = BPF_JMP | BPF_EXIT },
};

/* Gives what a run takes, with all that is around it. */
static unsigned int run(int program)
{
	unsigned char packet[64] = {};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet, .data_size_in = sizeof(packet), .repeat = RUNS);

	if (bpf_prog_test_run_opts(program, &options))
		die("run");
	return options.duration;
}

int main(void)
{
	int program = bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "nothing", "GPL", nothing, 2, NULL);
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);
	unsigned int takes;

	if (program < 0)
		die("load");
	takes = run(program);
	if (bpf_enable_stats(BPF_STATS_RUN_TIME) < 0)
		die("account");
	run(program);
	if (bpf_obj_get_info_by_fd(program, &info, &size))
		die("info");
	printf("%.1f\n", (double)info.run_time_ns / info.run_cnt - takes);
	return 0;
}
