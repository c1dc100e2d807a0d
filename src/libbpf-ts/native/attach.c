// SPDX-License-Identifier: MIT
/* The ways to attach a program. Each returns the handle of a link. */
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <net/if.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "addon.h"

/* Wraps a link of an object's program, or throws what errno says of the try. */
static napi_value finish_attach(napi_env env, napi_value object, struct bpf_link *link, struct bpf_program *program)
{
	int error = errno;

	if (!link)
		return throw_errno(env, error, "attach", bpf_program__name(program));
	return wrap_link(env, read_object(env, object), link);
}

/* attach(object, program): as its section says */
static napi_value attach(napi_env env, napi_callback_info info)
{
	struct bpf_program *program;
	napi_value argv[2];

	if (!begin_call(env, info, argv, ARRAY_SIZE(argv)))
		return NULL;
	program = read_loaded_program(env, argv[0], argv[1]);
	return program ? finish_attach(env, argv[0], bpf_program__attach(program), program) : NULL;
}

/* attachRawTracepoint(object, program, name: string) */
static napi_value attach_raw_tracepoint(napi_env env, napi_callback_info info)
{
	struct bpf_program *program;
	char name[NAME_MAX_LENGTH];
	napi_value argv[3];

	if (!begin_call(env, info, argv, ARRAY_SIZE(argv)))
		return NULL;
	program = read_loaded_program(env, argv[0], argv[1]);
	if (!program || !read_string(env, argv[2], "name", name, sizeof(name)))
		return NULL;
	return finish_attach(env, argv[0], bpf_program__attach_raw_tracepoint(program, name), program);
}

/* attachTracepoint(object, program, category: string, name: string) */
static napi_value attach_tracepoint(napi_env env, napi_callback_info info)
{
	char category[NAME_MAX_LENGTH], name[NAME_MAX_LENGTH];
	struct bpf_program *program;
	napi_value argv[4];

	if (!begin_call(env, info, argv, ARRAY_SIZE(argv)))
		return NULL;
	program = read_loaded_program(env, argv[0], argv[1]);
	if (!program || !read_string(env, argv[2], "category", category, sizeof(category)) ||
	    !read_string(env, argv[3], "name", name, sizeof(name)))
		return NULL;
	return finish_attach(env, argv[0], bpf_program__attach_tracepoint(program, category, name), program);
}

/* attachPerfEvent(object, program, type, config: bigint, byFrequency: boolean, sample: bigint, pid, cpu) */
static napi_value attach_perf_event(napi_env env, napi_callback_info info)
{
	struct perf_event_attr attributes = { .size = sizeof(attributes) };
	struct bpf_program *program;
	int32_t pid, cpu;
	struct bpf_link *link;
	uint64_t config, sample;
	napi_value argv[8];
	bool by_frequency;
	uint32_t type;
	int fd, error;

	if (!begin_call(env, info, argv, ARRAY_SIZE(argv)))
		return NULL;
	program = read_loaded_program(env, argv[0], argv[1]);
	if (!program || !read_u32(env, argv[2], "type", &type) || !read_u64(env, argv[3], "config", &config) ||
	    !read_bool(env, argv[4], "byFrequency", &by_frequency) ||
	    !read_u64(env, argv[5], by_frequency ? "sampleFrequency" : "samplePeriod", &sample) ||
	    !read_i32(env, argv[6], "pid", &pid) || !read_i32(env, argv[7], "cpu", &cpu))
		return NULL;
	attributes.type = type;
	attributes.config = config;
	attributes.freq = by_frequency;
	attributes.sample_period = sample;
	fd = (int)syscall(__NR_perf_event_open, &attributes, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return throw_errno(env, errno, "perf_event_open", bpf_program__name(program));
	link = bpf_program__attach_perf_event(program, fd);
	error = errno;
	if (!link)
		close(fd);
	errno = error;
	return finish_attach(env, argv[0], link, program);
}

/* attachUprobe(object, program, binary: string, symbol: string | undefined, offset: bigint, pid, retprobe) */
static napi_value attach_uprobe(napi_env env, napi_callback_info info)
{
	char binary[PATH_MAX_LENGTH], symbol[NAME_MAX_LENGTH * 4];
	LIBBPF_OPTS(bpf_uprobe_opts, options);
	struct bpf_program *program;
	uint64_t offset;
	napi_value argv[7];
	int32_t pid;

	if (!begin_call(env, info, argv, ARRAY_SIZE(argv)))
		return NULL;
	program = read_loaded_program(env, argv[0], argv[1]);
	if (!program || !read_string(env, argv[2], "binary", binary, sizeof(binary)))
		return NULL;
	if (!is_undefined(env, argv[3])) {
		if (!read_string(env, argv[3], "symbol", symbol, sizeof(symbol)))
			return NULL;
		options.func_name = symbol;
	}
	if (!read_u64(env, argv[4], "offset", &offset) || !read_i32(env, argv[5], "pid", &pid) ||
	    !read_bool(env, argv[6], "retprobe", &options.retprobe))
		return NULL;
	return finish_attach(env, argv[0], bpf_program__attach_uprobe_opts(program, pid, binary, offset, &options),
			     program);
}

/* attachCgroup(object, program, path: string) */
static napi_value attach_cgroup(napi_env env, napi_callback_info info)
{
	struct bpf_program *program;
	char path[PATH_MAX_LENGTH];
	struct bpf_link *link;
	napi_value argv[3];
	int fd, error;

	if (!begin_call(env, info, argv, ARRAY_SIZE(argv)))
		return NULL;
	program = read_loaded_program(env, argv[0], argv[1]);
	if (!program || !read_string(env, argv[2], "path", path, sizeof(path)))
		return NULL;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return throw_errno(env, errno, "open", path);
	link = bpf_program__attach_cgroup(program, fd);
	error = errno;
	close(fd);
	errno = error;
	return finish_attach(env, argv[0], link, program);
}

static bool read_interface(napi_env env, napi_value value, uint32_t *index)
{
	char name[IF_NAMESIZE];

	if (!read_string(env, value, "interface", name, sizeof(name)))
		return false;
	*index = if_nametoindex(name);
	return *index || throw_errno(env, errno, "find interface", name);
}

/* attachXdp(object, program, interface: string) */
static napi_value attach_xdp(napi_env env, napi_callback_info info)
{
	struct bpf_program *program;
	napi_value argv[3];
	uint32_t interface;

	if (!begin_call(env, info, argv, ARRAY_SIZE(argv)))
		return NULL;
	program = read_loaded_program(env, argv[0], argv[1]);
	if (!program || !read_interface(env, argv[2], &interface))
		return NULL;
	return finish_attach(env, argv[0], bpf_program__attach_xdp(program, (int)interface), program);
}

/* attachTc(object, program, interface: string, egress: boolean, priority, handle) */
static napi_value attach_tc(napi_env env, napi_callback_info info)
{
	uint32_t interface, priority, handle;
	struct tc_filter *filter = NULL;
	struct bpf_program *program;
	napi_value argv[6];
	bool egress;
	int error;

	if (!begin_call(env, info, argv, ARRAY_SIZE(argv)))
		return NULL;
	program = read_loaded_program(env, argv[0], argv[1]);
	if (!program || !read_interface(env, argv[2], &interface) || !read_bool(env, argv[3], "egress", &egress) ||
	    !read_u32(env, argv[4], "priority", &priority) || !read_u32(env, argv[5], "handle", &handle))
		return NULL;
	if (priority > UINT16_MAX)
		return throw_range(env, "priority", "an integer from 0 to 65535");
	error = tc_attach(bpf_program__fd(program), interface, egress, priority, handle, &filter);
	return error ? throw_errno(env, error, "attach", bpf_program__name(program)) : wrap_tc_link(env, filter);
}

/* attachIter(object, program) */
static napi_value attach_iter(napi_env env, napi_callback_info info)
{
	struct bpf_program *program;
	napi_value argv[2];

	if (!begin_call(env, info, argv, ARRAY_SIZE(argv)))
		return NULL;
	program = read_loaded_program(env, argv[0], argv[1]);
	return program ? finish_attach(env, argv[0], bpf_program__attach_iter(program, NULL), program) : NULL;
}

/* attachMapIter(object, program, map's object, map) */
static napi_value attach_map_iter(napi_env env, napi_callback_info info)
{
	union bpf_iter_link_info link_info = {};
	LIBBPF_OPTS(bpf_iter_attach_opts, options, .link_info = &link_info, .link_info_len = sizeof(link_info));
	struct bpf_program *program;
	struct bpf_map *map;
	napi_value argv[4];

	if (!begin_call(env, info, argv, ARRAY_SIZE(argv)))
		return NULL;
	program = read_loaded_program(env, argv[0], argv[1]);
	map = program ? read_loaded_map(env, argv[2], argv[3]) : NULL;
	if (!map)
		return NULL;
	link_info.map.map_fd = (__u32)bpf_map__fd(map);
	return finish_attach(env, argv[0], bpf_program__attach_iter(program, &options), program);
}

void register_attach(napi_env env, napi_value exports)
{
	export_function(env, exports, "attach", attach);
	export_function(env, exports, "attachRawTracepoint", attach_raw_tracepoint);
	export_function(env, exports, "attachTracepoint", attach_tracepoint);
	export_function(env, exports, "attachPerfEvent", attach_perf_event);
	export_function(env, exports, "attachUprobe", attach_uprobe);
	export_function(env, exports, "attachCgroup", attach_cgroup);
	export_function(env, exports, "attachXdp", attach_xdp);
	export_function(env, exports, "attachTc", attach_tc);
	export_function(env, exports, "attachIter", attach_iter);
	export_function(env, exports, "attachMapIter", attach_map_iter);
}
