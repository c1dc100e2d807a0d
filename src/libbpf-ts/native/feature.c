// SPDX-License-Identifier: MIT
/* What this kernel can do, found out by trying. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "addon.h"

static napi_value finish_probe(napi_env env, int result, const char *subject)
{
	return result < 0 ? throw_errno(env, result, "probe", subject) : boolean(env, result);
}

static const struct bpf_insn return_zero[] = {
	{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
	{ .code = BPF_JMP | BPF_EXIT },
};

/*
 * Loads a program for a try; a tracing one for a target, which is a tracepoint or what is iterated over. log may be NULL.
 * Returns a descriptor or a negative errno.
 */
static int try_load(enum bpf_prog_type type, enum bpf_attach_type tracing, const char *target,
		    const struct bpf_insn *instructions, size_t count, char *log, size_t log_size)
{
	LIBBPF_OPTS(bpf_prog_load_opts, options, .log_buf = log, .log_size = (uint32_t)log_size,
		    .log_level = log ? 1 : 0);
	int id;

	switch (type) {
	case BPF_PROG_TYPE_TRACING:
		id = libbpf_find_vmlinux_btf_id(target, tracing);
		if (id < 0)
			return id;
		options.attach_btf_id = (uint32_t)id;
		options.expected_attach_type = tracing;
		break;
	case BPF_PROG_TYPE_CGROUP_SOCK_ADDR:
		options.expected_attach_type = BPF_CGROUP_INET4_CONNECT;
		break;
	case BPF_PROG_TYPE_CGROUP_SOCKOPT:
		options.expected_attach_type = BPF_CGROUP_GETSOCKOPT;
		break;
	case BPF_PROG_TYPE_SK_LOOKUP:
		options.expected_attach_type = BPF_SK_LOOKUP;
		break;
	default:
		break;
	}
	return bpf_prog_load(type, "probe", "GPL", instructions, count, &options);
}

/* A tracepoint that every kernel has. */
#define COMMON_TRACEPOINT "sched_switch"

/* probeProgramType(type: number): boolean */
static napi_value probe_program_type(napi_env env, napi_callback_info info)
{
	napi_value argv[1];
	uint32_t type;
	int fd;

	if (!begin_call(env, info, argv, ARRAY_SIZE(argv)) || !read_u32(env, argv[0], "type", &type))
		return NULL;
	/* libbpf 1.1 tries tracing with a function entry, which some kernels refuse while tracepoints work. */
	if (type != BPF_PROG_TYPE_TRACING)
		return finish_probe(env, libbpf_probe_bpf_prog_type(type, NULL), libbpf_bpf_prog_type_str(type));
	fd = try_load(type, BPF_TRACE_RAW_TP, COMMON_TRACEPOINT, return_zero, ARRAY_SIZE(return_zero), NULL, 0);
	if (fd == -EPERM)
		return throw_errno(env, fd, "probe", "tracing");
	if (fd >= 0)
		close(fd);
	return boolean(env, fd >= 0);
}

/* probeMapType(type: number): boolean */
static napi_value probe_map_type(napi_env env, napi_callback_info info)
{
	napi_value argv[1];
	uint32_t type;

	if (!begin_call(env, info, argv, ARRAY_SIZE(argv)) || !read_u32(env, argv[0], "type", &type))
		return NULL;
	return finish_probe(env, libbpf_probe_bpf_map_type(type, NULL), libbpf_bpf_map_type_str(type));
}

/* probeHelper(type: number, helper: number): boolean */
static napi_value probe_helper(napi_env env, napi_callback_info info)
{
	/* What verifiers of all ages say; libbpf 1.1 does not know the newest and takes it for a yes. */
	static const char *const refusals[] = { "unknown func", "invalid func", "cannot use helper" };
	struct bpf_insn call_it[] = {
		{ .code = BPF_JMP | BPF_CALL },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	uint32_t type, helper;
	char log[4096] = "";
	napi_value argv[2];
	int fd;

	if (!begin_call(env, info, argv, ARRAY_SIZE(argv)) || !read_u32(env, argv[0], "type", &type) ||
	    !read_u32(env, argv[1], "helper", &helper))
		return NULL;
	call_it[0].imm = (int32_t)helper;
	fd = try_load(type, BPF_TRACE_RAW_TP, COMMON_TRACEPOINT, call_it, ARRAY_SIZE(call_it), log, sizeof(log));
	if (fd >= 0) {
		close(fd);
		return boolean(env, true);
	}
	if (!log[0])
		return throw_errno(env, fd, "probe", libbpf_bpf_prog_type_str(type));
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		if (strstr(log, refusals[i]))
			return boolean(env, false);
	}
	return boolean(env, true); /* refused for its arguments: so it is there */
}

typedef const char *(*name_of_type)(uint32_t type);

static const char *program_type_name(uint32_t type)
{
	return libbpf_bpf_prog_type_str(type);
}

static const char *map_type_name(uint32_t type)
{
	return libbpf_bpf_map_type_str(type);
}

/* Names by number, up to the first number without one. */
static napi_value list_names(napi_env env, name_of_type name_of)
{
	napi_value result = NULL;

	if (napi_create_array(env, &result) != napi_ok)
		return NULL;
	for (uint32_t type = 0; name_of(type); type++)
		napi_set_element(env, result, type, string(env, name_of(type)));
	return result;
}

#define HELPER_NAME(name) #name
static const char *const helper_names[] = { __BPF_FUNC_MAPPER(HELPER_NAME) };

static const char *helper_name(uint32_t helper)
{
	return helper < ARRAY_SIZE(helper_names) ? helper_names[helper] : NULL;
}

/* helpers(): string[] */
static napi_value helpers(napi_env env, napi_callback_info info)
{
	return begin_call(env, info, NULL, 0) ? list_names(env, helper_name) : NULL;
}

/* programTypes(): string[] */
static napi_value program_types(napi_env env, napi_callback_info info)
{
	return begin_call(env, info, NULL, 0) ? list_names(env, program_type_name) : NULL;
}

/* mapTypes(): string[] */
static napi_value map_types(napi_env env, napi_callback_info info)
{
	return begin_call(env, info, NULL, 0) ? list_names(env, map_type_name) : NULL;
}

/* possibleCpus(): number */
static napi_value possible_cpus(napi_env env, napi_callback_info info)
{
	int count;

	if (!begin_call(env, info, NULL, 0))
		return NULL;
	count = libbpf_num_possible_cpus();
	return count < 0 ? throw_errno(env, count, "count CPUs", NULL) : number(env, count);
}

/* Both kinds attach by the same system call; a typed program has its tracepoint from the load. */
static int try_attach(int program_fd, const char *name)
{
	int link_fd;

	if (program_fd < 0)
		return program_fd;
	link_fd = bpf_raw_tracepoint_open(name, program_fd);
	close(program_fd);
	if (link_fd < 0)
		return link_fd;
	close(link_fd);
	return 0;
}

/* probeTracepoint(tracepoint: string, typed: boolean): 0, or the errno it is refused with */
static napi_value probe_tracepoint(napi_env env, napi_callback_info info)
{
	char tracepoint[NAME_MAX_LENGTH];
	napi_value argv[2];
	bool typed;
	int fd;

	if (!begin_call(env, info, argv, ARRAY_SIZE(argv)) ||
	    !read_string(env, argv[0], "tracepoint", tracepoint, sizeof(tracepoint)) ||
	    !read_bool(env, argv[1], "typed", &typed))
		return NULL;
	fd = try_load(typed ? BPF_PROG_TYPE_TRACING : BPF_PROG_TYPE_RAW_TRACEPOINT, BPF_TRACE_RAW_TP, tracepoint,
		      return_zero, ARRAY_SIZE(return_zero), NULL, 0);
	return number(env, -try_attach(fd, typed ? NULL : tracepoint));
}

/* probeIterator(target: string): 0, or the errno it is refused with */
static napi_value probe_iterator(napi_env env, napi_callback_info info)
{
	char target[NAME_MAX_LENGTH];
	int program_fd, link_fd;
	napi_value argv[1];

	if (!begin_call(env, info, argv, ARRAY_SIZE(argv)) ||
	    !read_string(env, argv[0], "target", target, sizeof(target)))
		return NULL;
	program_fd = try_load(BPF_PROG_TYPE_TRACING, BPF_TRACE_ITER, target, return_zero, ARRAY_SIZE(return_zero),
			      NULL, 0);
	if (program_fd < 0)
		return number(env, -program_fd);
	link_fd = bpf_link_create(program_fd, 0, BPF_TRACE_ITER, NULL);
	close(program_fd);
	if (link_fd >= 0)
		close(link_fd);
	/* Those over a map's elements miss their map, and are there. */
	return number(env, link_fd >= 0 || link_fd == -EBADF ? 0 : -link_fd);
}

void register_feature(napi_env env, napi_value exports)
{
	export_function(env, exports, "probeProgramType", probe_program_type);
	export_function(env, exports, "probeMapType", probe_map_type);
	export_function(env, exports, "probeHelper", probe_helper);
	export_function(env, exports, "probeTracepoint", probe_tracepoint);
	export_function(env, exports, "probeIterator", probe_iterator);
	export_function(env, exports, "programTypes", program_types);
	export_function(env, exports, "mapTypes", map_types);
	export_function(env, exports, "helpers", helpers);
	export_function(env, exports, "possibleCpus", possible_cpus);
}
