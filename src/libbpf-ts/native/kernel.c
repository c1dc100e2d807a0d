// SPDX-License-Identifier: MIT
/* What the kernel has loaded, by id, and its run statistics. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "addon.h"

/* Has the kernel fill info, and gives an empty object to describe it in. */
static napi_value begin_description(napi_env env, int fd, void *info, uint32_t size)
{
	napi_value result = NULL;
	int error = bpf_obj_get_info_by_fd(fd, info, &size);

	if (error)
		return throw_errno(env, error, "info", NULL);
	napi_create_object(env, &result);
	return result;
}

static napi_value describe_program(napi_env env, int fd)
{
	struct bpf_prog_info info = {};
	napi_value result = begin_description(env, fd, &info, sizeof(info));
	char tag[BPF_TAG_SIZE * 2 + 1];

	if (!result)
		return NULL;
	for (int i = 0; i < BPF_TAG_SIZE; i++)
		snprintf(tag + 2 * i, 3, "%02x", info.tag[i]);
	set_property(env, result, "id", number(env, info.id));
	set_property(env, result, "name", string(env, info.name));
	set_property(env, result, "type", string(env, libbpf_bpf_prog_type_str(info.type)));
	set_property(env, result, "tag", string(env, tag));
	set_property(env, result, "runTimeNs", bigint(env, info.run_time_ns));
	set_property(env, result, "runCount", bigint(env, info.run_cnt));
	set_property(env, result, "recursionMisses", bigint(env, info.recursion_misses));
	set_property(env, result, "verifiedInstructions", number(env, info.verified_insns));
	set_property(env, result, "jitedBytes", number(env, info.jited_prog_len));
	return result;
}

static napi_value describe_map(napi_env env, int fd)
{
	struct bpf_map_info info = {};
	napi_value result = begin_description(env, fd, &info, sizeof(info));

	if (!result)
		return NULL;
	set_property(env, result, "id", number(env, info.id));
	set_property(env, result, "name", string(env, info.name));
	set_property(env, result, "type", string(env, libbpf_bpf_map_type_str(info.type)));
	set_property(env, result, "keySize", number(env, info.key_size));
	set_property(env, result, "valueSize", number(env, info.value_size));
	set_property(env, result, "maxEntries", number(env, info.max_entries));
	set_property(env, result, "flags", number(env, info.map_flags));
	return result;
}

napi_value describe_link(napi_env env, int fd)
{
	struct bpf_link_info info = {};
	napi_value result = begin_description(env, fd, &info, sizeof(info));

	if (!result)
		return NULL;
	set_property(env, result, "id", number(env, info.id));
	set_property(env, result, "type", string(env, libbpf_bpf_link_type_str(info.type)));
	set_property(env, result, "programId", number(env, info.prog_id));
	return result;
}

static napi_value list(napi_env env, int (*next_id)(uint32_t, uint32_t *), int (*open_id)(uint32_t),
		       napi_value (*describe)(napi_env, int))
{
	uint32_t id = 0, count = 0;
	napi_value result;

	if (napi_create_array(env, &result) != napi_ok)
		return NULL;
	while (!next_id(id, &id)) {
		int fd = open_id(id);
		napi_value item;

		if (fd == -ENOENT || fd == -EAGAIN)
			continue; /* gone between the two calls; a link that is being made and has no id yet */
		if (fd < 0)
			return throw_errno(env, fd, "list", NULL);
		item = describe(env, fd);
		close(fd);
		if (!item)
			return NULL;
		napi_set_element(env, result, count++, item);
	}
	return errno == ENOENT ? result : throw_errno(env, errno, "list", NULL);
}

/* listPrograms() */
static napi_value list_programs(napi_env env, napi_callback_info info)
{
	return begin_call(env, info, NULL, 0) ?
		       list(env, bpf_prog_get_next_id, bpf_prog_get_fd_by_id, describe_program) :
		       NULL;
}

/* listMaps() */
static napi_value list_maps(napi_env env, napi_callback_info info)
{
	return begin_call(env, info, NULL, 0) ?
		       list(env, bpf_map_get_next_id, bpf_map_get_fd_by_id, describe_map) :
		       NULL;
}

/* listLinks() */
static napi_value list_links(napi_env env, napi_callback_info info)
{
	return begin_call(env, info, NULL, 0) ?
		       list(env, bpf_link_get_next_id, bpf_link_get_fd_by_id, describe_link) :
		       NULL;
}

/* programInfo(object, program) */
static napi_value program_info(napi_env env, napi_callback_info info)
{
	struct bpf_program *program;
	napi_value argv[2];

	if (!begin_call(env, info, argv, ARRAY_SIZE(argv)))
		return NULL;
	program = read_loaded_program(env, argv[0], argv[1]);
	return program ? describe_program(env, bpf_program__fd(program)) : NULL;
}

/* mapInfo(object, map) */
static napi_value map_info(napi_env env, napi_callback_info info)
{
	struct bpf_map *map;
	napi_value argv[2];

	if (!begin_call(env, info, argv, ARRAY_SIZE(argv)))
		return NULL;
	map = read_loaded_map(env, argv[0], argv[1]);
	return map ? describe_map(env, bpf_map__fd(map)) : NULL;
}

struct statistics {
	struct handle handle;
	int fd;
};

static void release_statistics(struct handle *handle)
{
	close(((struct statistics *)handle)->fd);
}

static const struct handle_class statistics_class = { .name = "statistics", .release = release_statistics };

/* enableRunStats(): a handle, the kernel measures until it is closed */
static napi_value enable_run_stats(napi_env env, napi_callback_info info)
{
	struct statistics *statistics;
	int fd;

	if (!begin_call(env, info, NULL, 0))
		return NULL;
	fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
	if (fd < 0)
		return throw_errno(env, fd, "enable statistics", NULL);
	statistics = calloc(1, sizeof(*statistics));
	if (!statistics) {
		close(fd);
		return throw_errno(env, ENOMEM, "enable statistics", NULL);
	}
	statistics->fd = fd;
	return wrap_handle(env, &statistics->handle, &statistics_class);
}

void register_kernel(napi_env env, napi_value exports)
{
	export_function(env, exports, "listPrograms", list_programs);
	export_function(env, exports, "listMaps", list_maps);
	export_function(env, exports, "listLinks", list_links);
	export_function(env, exports, "programInfo", program_info);
	export_function(env, exports, "mapInfo", map_info);
	export_function(env, exports, "enableRunStats", enable_run_stats);
}
