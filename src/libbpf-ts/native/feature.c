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

/* probeProgramType(type: number): boolean */
static napi_value probe_program_type(napi_env env, napi_callback_info info)
{
	napi_value argv[1];
	uint32_t type;

	if (!begin_call(env, info, argv, ARRAY_SIZE(argv)) || !read_u32(env, argv[0], "type", &type))
		return NULL;
	return finish_probe(env, libbpf_probe_bpf_prog_type(type, NULL), libbpf_bpf_prog_type_str(type));
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
	uint32_t type, helper;
	napi_value argv[2];

	if (!begin_call(env, info, argv, ARRAY_SIZE(argv)) || !read_u32(env, argv[0], "type", &type) ||
	    !read_u32(env, argv[1], "helper", &helper))
		return NULL;
	return finish_probe(env, libbpf_probe_bpf_helper(type, helper, NULL), libbpf_bpf_prog_type_str(type));
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

#define HELPER_NAME(name, ...) #name,
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

static const struct bpf_insn return_zero[] = {
	{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
	{ .code = BPF_JMP | BPF_EXIT },
};

static int load_trivial(enum bpf_prog_type type, struct bpf_prog_load_opts *options)
{
	return bpf_prog_load(type, "probe", "GPL", return_zero, ARRAY_SIZE(return_zero), options);
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

/* probeTracepoint(name: string, typed: boolean): 0, or the errno it is refused with */
static napi_value probe_tracepoint(napi_env env, napi_callback_info info)
{
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_TRACE_RAW_TP);
	char name[NAME_MAX_LENGTH];
	napi_value argv[2];
	int error;
	bool typed;

	if (!begin_call(env, info, argv, ARRAY_SIZE(argv)) ||
	    !read_string(env, argv[0], "name", name, sizeof(name)) || !read_bool(env, argv[1], "typed", &typed))
		return NULL;
	if (!typed)
		return number(env, -try_attach(load_trivial(BPF_PROG_TYPE_RAW_TRACEPOINT, NULL), name));
	error = libbpf_find_vmlinux_btf_id(name, BPF_TRACE_RAW_TP);
	if (error < 0)
		return number(env, -error);
	options.attach_btf_id = (uint32_t)error;
	return number(env, -try_attach(load_trivial(BPF_PROG_TYPE_TRACING, &options), NULL));
}

void register_feature(napi_env env, napi_value exports)
{
	export_function(env, exports, "probeProgramType", probe_program_type);
	export_function(env, exports, "probeMapType", probe_map_type);
	export_function(env, exports, "probeHelper", probe_helper);
	export_function(env, exports, "probeTracepoint", probe_tracepoint);
	export_function(env, exports, "programTypes", program_types);
	export_function(env, exports, "mapTypes", map_types);
	export_function(env, exports, "helpers", helpers);
	export_function(env, exports, "possibleCpus", possible_cpus);
}
